#include "torch/products.h"

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <vector>

#if defined(__linux__) && defined(__GNUC__) && !defined(__clang__)
#define PW_OWN_PRODUCTS 1
#endif
// Sanitizers are not there yet when the loader chooses.
#if defined(PW_OWN_PRODUCTS) && defined(__x86_64__) && \
    !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
// The best of these that the machine has.
#define PW_CLONES __attribute__((target_clones("default", "arch=x86-64-v3")))
#else
#define PW_CLONES
#endif
#define PW_INLINE inline __attribute__((always_inline))  // into each clone

namespace portwright::torch {

void bring_products() {}  // being linked is all

#ifdef PW_OWN_PRODUCTS

namespace {

/// Element (i, j) lies at data[i * row + j * column].
struct Matrix {
  const float* data;
  int64_t row, column;
};

constexpr int kLanes = 8;             // of one vector
constexpr int kColumns = 2 * kLanes;  // of a panel of B
constexpr int kRows = 4;              // of A, taken together
constexpr int kPair = 2;              // columns of B that are read along
typedef float Lanes __attribute__((vector_size(4 * kLanes), aligned(4)));
typedef int32_t Order __attribute__((vector_size(4 * kLanes)));

/// k x kColumns, columns past the end zero.
void pack(const Matrix& b, int64_t k, int64_t columns, float* out) {
  if (columns < kColumns) {
    std::fill_n(out, k * kColumns, 0.0f);
  }
  if (b.column == 1) {
    for (int64_t p = 0; p < k; ++p) {
      std::memcpy(
          out + p * kColumns, b.data + p * b.row, columns * sizeof(float));
    }
    return;
  }
  for (int64_t j = 0; j < columns; ++j) {
    const float* from = b.data + j * b.column;
    for (int64_t p = 0; p < k; ++p) {
      out[p * kColumns + j] = from[p * b.row];
    }
  }
}

/// out = A panel, for kRows rows of A.
PW_CLONES void
multiply(const Matrix& a, const float* panel, int64_t k, float* out) {
  Lanes sums[kRows][2] = {};
  for (int64_t p = 0; p < k; ++p) {
    const float* row = panel + p * kColumns;
    Lanes left, right;
    std::memcpy(&left, row, sizeof(left));
    std::memcpy(&right, row + kLanes, sizeof(right));
#pragma GCC unroll 4
    for (int i = 0; i < kRows; ++i) {
      const float factor = a.data[i * a.row + p * a.column];
      sums[i][0] += factor * left;
      sums[i][1] += factor * right;
    }
  }
  std::memcpy(out, sums, sizeof(sums));
}

/// out[j] = sum of row[p] * B(p, j), where B is read along its columns.
PW_CLONES void multiply_row(
    const float* row,
    const Matrix& b,
    int64_t k,
    int64_t n,
    float* out) {
  const int64_t whole = k - k % kLanes;
  for (int64_t j = 0; j < n; ++j) {
    const float* column = b.data + j * b.column;
    Lanes sums = {};
    for (int64_t p = 0; p < whole; p += kLanes) {
      Lanes x, y;
      std::memcpy(&x, row + p, sizeof(x));
      std::memcpy(&y, column + p, sizeof(y));
      sums += x * y;
    }
    float sum = 0;
    for (int lane = 0; lane < kLanes; ++lane) {
      sum += sums[lane];
    }
    for (int64_t p = whole; p < k; ++p) {
      sum += row[p] * column[p];
    }
    out[j] = sum;
  }
}

/// Sums of neighbours: of `a` in the first half, of `b` in the second.
PW_INLINE void sums_of_pairs(const Lanes& a, const Lanes& b, Lanes& out) {
  out = __builtin_shuffle(a, b, Order{0, 2, 4, 6, 8, 10, 12, 14}) +
        __builtin_shuffle(a, b, Order{1, 3, 5, 7, 9, 11, 13, 15});
}

/// out[i][j] = sum of A(i, p) * B(p, j) for kRows rows and kPair columns, where
/// A is read along its rows and B along its columns.
PW_CLONES void
multiply_along(const Matrix& a, const Matrix& b, int64_t k, float* out) {
  Lanes sums[kRows][kPair] = {};
  const int64_t whole = k - k % kLanes;
  for (int64_t p = 0; p < whole; p += kLanes) {
    Lanes left, right;
    std::memcpy(&left, b.data + p, sizeof(left));
    std::memcpy(&right, b.data + b.column + p, sizeof(right));
#pragma GCC unroll 4
    for (int i = 0; i < kRows; ++i) {
      Lanes row;
      std::memcpy(&row, a.data + i * a.row + p, sizeof(row));
      sums[i][0] += row * left;
      sums[i][1] += row * right;
    }
  }
  Lanes pairs[kRows], upper, lower, all;
#pragma GCC unroll 4
  for (int i = 0; i < kRows; ++i) {
    sums_of_pairs(sums[i][0], sums[i][1], pairs[i]);
  }
  static_assert(kRows * kPair == kLanes);
  sums_of_pairs(pairs[0], pairs[1], upper);
  sums_of_pairs(pairs[2], pairs[3], lower);
  sums_of_pairs(upper, lower, all);
  std::memcpy(out, &all, sizeof(all));
  for (int64_t p = whole; p < k; ++p) {
    for (int i = 0; i < kRows; ++i) {
      for (int j = 0; j < kPair; ++j) {
        out[i * kPair + j] += a.data[i * a.row + p] * b.data[j * b.column + p];
      }
    }
  }
}

void store(
    const float* sums,
    int64_t count,
    float alpha,
    float beta,
    float* to) {
  if (alpha == 1 && beta == 0) {
    std::copy_n(sums, count, to);
    return;
  }
  for (int64_t x = 0; x < count; ++x) {
    const float product = alpha * sums[x];
    to[x] = beta == 0 ? product : product + beta * to[x];
  }
}

/// The first `height` rows of A, one after the other; the rest up to kRows are
/// zero.
void gather(const Matrix& a, int64_t height, int64_t k, float* out) {
  std::fill_n(out, kRows * k, 0.0f);
  for (int64_t r = 0; r < height; ++r) {
    for (int64_t p = 0; p < k; ++p) {
      out[r * k + p] = a.data[r * a.row + p * a.column];
    }
  }
}

/// C = alpha A B + beta C; A is m x k, B is k x n, C has rows of `ldc`.
void gemm(
    int64_t m,
    int64_t n,
    int64_t k,
    float alpha,
    const Matrix& a,
    const Matrix& b,
    float beta,
    float* c,
    int64_t ldc) {
  thread_local std::vector<float> panel, rows;
  rows.resize(k * kRows);
  if (m < kRows && b.row == 1) {  // a panel would be read too seldom
    panel.resize(n);
    gather(a, m, k, rows.data());
    for (int64_t i = 0; i < m; ++i) {
      multiply_row(rows.data() + i * k, b, k, n, panel.data());
      store(panel.data(), n, alpha, beta, c + i * ldc);
    }
    return;
  }
  float sums[kRows * kColumns];
  if (b.row == 1) {  // as the weights of a layer lie: read where they are
    for (int64_t i = 0; i < m; i += kRows) {
      const int64_t height = std::min<int64_t>(kRows, m - i);
      Matrix block{a.data + i * a.row, a.row, a.column};
      if (height < kRows || a.column != 1) {
        gather(block, height, k, rows.data());
        block = {rows.data(), k, 1};
      }
      for (int64_t j = 0; j < n; j += kPair) {
        const int64_t columns = std::min<int64_t>(kPair, n - j);
        const int64_t stride = columns == kPair ? b.column : 0;
        multiply_along(block, {b.data + j * b.column, 1, stride}, k, sums);
        for (int64_t r = 0; r < height; ++r) {
          store(sums + r * kPair, columns, alpha, beta, c + (i + r) * ldc + j);
        }
      }
    }
    return;
  }
  panel.resize(k * kColumns);
  for (int64_t j = 0; j < n; j += kColumns) {
    const int64_t columns = std::min<int64_t>(kColumns, n - j);
    pack({b.data + j * b.column, b.row, b.column}, k, columns, panel.data());
    for (int64_t i = 0; i < m; i += kRows) {
      const int64_t height = std::min<int64_t>(kRows, m - i);
      Matrix block{a.data + i * a.row, a.row, a.column};
      if (height < kRows) {
        gather(block, height, k, rows.data());
        block = {rows.data(), k, 1};
      }
      multiply(block, panel.data(), k, sums);
      for (int64_t r = 0; r < height; ++r) {
        store(sums + r * kColumns, columns, alpha, beta, c + (i + r) * ldc + j);
      }
    }
  }
}

}  // namespace

#endif

}  // namespace portwright::torch

#ifdef PW_OWN_PRODUCTS

/// As in cblas.h, whose enumerations these numbers are.
extern "C" __attribute__((visibility("default"))) void cblas_sgemm(
    int order,
    int transpose_a,
    int transpose_b,
    int m,
    int n,
    int k,
    float alpha,
    const float* a,
    int lda,
    const float* b,
    int ldb,
    float beta,
    float* c,
    int ldc) {
  constexpr int kRowMajor = 101, kNoTranspose = 111;
  using portwright::torch::Matrix;
  const auto matrix = [](const float* data, int stride, bool transposed) {
    return transposed ? Matrix{data, 1, stride} : Matrix{data, stride, 1};
  };
  const Matrix first = matrix(a, lda, transpose_a != kNoTranspose);
  const Matrix second = matrix(b, ldb, transpose_b != kNoTranspose);
  if (order == kRowMajor) {
    portwright::torch::gemm(m, n, k, alpha, first, second, beta, c, ldc);
  } else {  // C^T = B^T A^T, by rows
    portwright::torch::gemm(n, m, k, alpha, second, first, beta, c, ldc);
  }
}

#endif

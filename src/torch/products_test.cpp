#include "torch/products.h"

#include <gtest/gtest.h>
#include <mlx/mlx.h>

namespace portwright::torch {
namespace {

namespace mx = mlx::core;

/// The largest difference from a product by elements, in float64.
double error(int m, int n, int k, bool transpose_a, bool transpose_b) {
  auto a = mx::random::normal(
      transpose_a ? mx::Shape{k, m} : mx::Shape{m, k}, mx::random::key(1));
  auto b = mx::random::normal(
      transpose_b ? mx::Shape{n, k} : mx::Shape{k, n}, mx::random::key(2));
  mx::eval(a, b);
  a = transpose_a ? mx::transpose(a) : a;
  b = transpose_b ? mx::transpose(b) : b;
  auto expected = mx::sum(
      mx::expand_dims(mx::astype(a, mx::float64), 2) *
          mx::expand_dims(mx::astype(b, mx::float64), 0),
      1);
  const auto difference = mx::astype(mx::matmul(a, b), mx::float64) - expected;
  return mx::astype(mx::max(mx::abs(difference)), mx::float32).item<float>();
}

TEST(Products, AgreeWithSumsOfElements) {
  mx::set_default_device(mx::Device::cpu);
  for (int m : {1, 3, 4, 9}) {
    for (int n : {1, 15, 16, 37}) {
      for (int k : {1, 8, 65}) {
        for (int form = 0; form < 4; ++form) {
          EXPECT_LT(error(m, n, k, form & 1, form & 2), 2e-5)
              << m << " x " << k << " times " << k << " x " << n << ", form "
              << form;
        }
      }
    }
  }
}

TEST(Products, AddToWhatIsThere) {
  mx::set_default_device(mx::Device::cpu);
  const auto a = mx::random::normal({5, 7}, mx::random::key(3));
  const auto b = mx::random::normal({7, 19}, mx::random::key(4));
  const auto c = mx::random::normal({5, 19}, mx::random::key(5));
  const auto together = mx::addmm(c, a, b, 0.5f, 3.0f);
  const auto apart = mx::array(0.5f) * mx::matmul(a, b) + mx::array(3.0f) * c;
  EXPECT_LT(mx::max(mx::abs(together - apart)).item<float>(), 1e-5);
}

}  // namespace
}  // namespace portwright::torch

#include "torch/dispatch.h"
#include "torch/elementwise.h"
#include "torch/matmul.h"
#include "torch/readable.h"

namespace portwright::torch {

/// Integers have no matmul in MLX: products summed along the inner axis.
mx::array product_of(const mx::array& a, const mx::array& b) {
  if (mx::issubdtype(a.dtype(), mx::inexact)) {
    return mx::matmul(a, b);
  }
  const mx::array rows = a.ndim() == 1 ? mx::expand_dims(a, 0) : a;
  const mx::array columns = b.ndim() == 1 ? mx::expand_dims(b, 1) : b;
  mx::array out = mx::sum(
      mx::expand_dims(rows, -1) * mx::expand_dims(columns, -3), -2, false);
  if (b.ndim() == 1) {
    out = mx::squeeze(out, -1);
  }
  if (a.ndim() == 1) {
    out = mx::squeeze(out, b.ndim() == 1 ? -1 : -2);
  }
  return mx::astype(out, a.dtype());
}

namespace {

/// torch multiplies matrices of one type only.
Dtype one_type(Call& call, std::initializer_list<size_t> positions) {
  const Dtype dtype = call.tensor(*positions.begin()).dtype;
  for (size_t i : positions) {
    if (call.tensor(i).dtype != dtype) {
      call.raise(
          "RuntimeError",
          "expected m1 and m2 to have the same dtype, but got: " +
              std::string(name(dtype)) +
              " != " + std::string(name(call.tensor(i).dtype)));
    }
  }
  return dtype;
}

void check_inner(Call& call, const Tensor& a, const Tensor& b) {
  if (a.dim() == 0 || b.dim() == 0) {
    call.raise(
        "RuntimeError",
        "both arguments to matmul need to be at least 1D, but they are " +
            std::to_string(a.dim()) + "D and " + std::to_string(b.dim()) + "D");
  }
  const int64_t rows = b.dim() == 1 ? b.sizes[0] : b.sizes[b.dim() - 2];
  if (a.sizes.back() != rows) {
    call.raise(
        "RuntimeError",
        "mat1 and mat2 shapes cannot be multiplied (" + sizes_text(a.sizes) +
            " and " + sizes_text(b.sizes) + ")");
  }
}

Value matmul_op(Call& call) {
  const Tensor &a = call.tensor(0), &b = call.tensor(1);
  const Dtype dtype = one_type(call, {0, 1});
  check_inner(call, a, b);
  return call.cast(product_of(computed(a), computed(b)), dtype);
}

Value rmatmul(Call& call) {
  const Value swapped[] = {call.args[1], call.args[0]};
  Call inner(call.interp, call.state, call.op, swapped);
  return matmul_op(inner);
}

void require_rank(Call& call, size_t i, int64_t rank) {
  if (call.tensor(i).dim() != rank) {
    call.raise(
        "RuntimeError",
        fmt::format(
            "{}: expected a {}D tensor, but got a {}D tensor",
            call.op.name,
            rank,
            call.tensor(i).dim()));
  }
}

Value mm(Call& call) {
  require_rank(call, 0, 2);
  require_rank(call, 1, 2);
  return matmul_op(call);
}

Value mv(Call& call) {
  require_rank(call, 0, 2);
  require_rank(call, 1, 1);
  return matmul_op(call);
}

Value dot(Call& call) {
  require_rank(call, 0, 1);
  require_rank(call, 1, 1);
  return matmul_op(call);
}

Value bmm(Call& call) {
  require_rank(call, 0, 3);
  require_rank(call, 1, 3);
  if (call.tensor(0).sizes[0] != call.tensor(1).sizes[0]) {
    call.raise(
        "RuntimeError", "batch1 and batch2 must have same number of batches");
  }
  return matmul_op(call);
}

/// beta * input + alpha * (a @ b), rounded once.
Value add_product(Call& call, int64_t rank) {
  require_rank(call, 1, rank);
  require_rank(call, 2, rank);
  const Tensor& input = call.tensor(0);
  const Tensor &a = call.tensor(1), &b = call.tensor(2);
  const Dtype dtype = one_type(call, {1, 2});
  check_inner(call, a, b);
  const double beta = call.real(3), alpha = call.real(4);
  mx::array out = product_of(computed(a), computed(b));
  if (alpha != 1) {
    out = out * like(alpha, out);
  }
  if (beta != 0) {
    const mx::array base = computed(input);
    out = (beta == 1 ? base : base * like(beta, base)) + out;
  }
  return call.cast(out, dtype);
}

Value addmm(Call& call) {
  return add_product(call, 2);
}

Value baddbmm(Call& call) {
  return add_product(call, 3);
}

/// x @ weight.T + bias
Value linear(Call& call) {
  const Tensor &input = call.tensor(0), &weight = call.tensor(1);
  const Tensor* bias = call.tensor_or_null(2);
  const Dtype dtype = one_type(call, {0, 1});
  if (input.dim() == 0 || weight.dim() > 2 || weight.dim() == 0 ||
      input.sizes.back() != weight.sizes.back()) {
    call.raise(
        "RuntimeError",
        "mat1 and mat2 shapes cannot be multiplied (" +
            sizes_text(input.sizes) + " and the transpose of " +
            sizes_text(weight.sizes) + ")");
  }
  const mx::array w = computed(weight);
  mx::array out =
      product_of(computed(input), weight.dim() == 2 ? mx::transpose(w) : w);
  if (bias) {
    out = out + computed(*bias);
  }
  return call.cast(out, dtype);
}

Value einsum(Call& call) {
  const std::string equation = call.text(0, "");
  std::vector<mx::array> arrays;
  Dtype dtype = Dtype::Float32;
  for (const Tensor* t : call.tensors(1)) {
    dtype = t->dtype;
    arrays.push_back(computed(*t));
  }
  std::string text;
  for (char c : equation) {
    if (c != ' ') {
      text += c;
    }
  }
  return call.cast(mx::einsum(text, arrays), dtype);
}

Value tensordot(Call& call) {
  const Tensor &a = call.tensor(0), &b = call.tensor(1);
  const Dtype dtype = one_type(call, {0, 1});
  if (call.args[2].is_integral()) {
    return call.cast(
        mx::tensordot(
            computed(a), computed(b), static_cast<int>(call.integer(2))),
        dtype);
  }
  const auto pair = call.interp.to_vector(call.args[2]);
  std::vector<std::vector<int>> axes;
  for (const Value& side : pair) {
    axes.emplace_back();
    for (const Value& axis : call.interp.to_vector(side)) {
      axes.back().push_back(static_cast<int>(to_int64(call.interp, axis)));
    }
  }
  if (axes.size() != 2) {
    call.bad_argument(2, "pair of lists");
  }
  return call.cast(
      mx::tensordot(computed(a), computed(b), axes[0], axes[1]), dtype);
}

Value outer_product(Call& call) {
  require_rank(call, 0, 1);
  require_rank(call, 1, 1);
  ResultType types(call.state.default_dtype);
  types.add(call.tensor(0));
  types.add(call.tensor(1));
  const Dtype dtype = types.result().value_or(Dtype::Float32);
  const Dtype compute = compute_dtype(dtype);
  return call.cast(
      mx::expand_dims(cast_array(call.array(0), compute), 1) *
          mx::expand_dims(cast_array(call.array(1), compute), 0),
      dtype);
}

/// Rows of `input` in groups that end at `offs`, each times its own matrix;
/// or, for 2D times 2D, groups along the inner axis.
Value grouped_mm(Call& call) {
  const Tensor &a = call.tensor(0), &b = call.tensor(1);
  const Dtype dtype = one_type(call, {0, 1});
  const mx::array x = computed(a), w = computed(b);
  if (!call.has(2)) {
    return call.cast(product_of(x, w), dtype);
  }
  const mx::array ends = readable(mx::astype(call.array(2), mx::int32));
  std::vector<mx::array> parts;
  int start = 0;
  for (int g = 0; g < ends.shape(0); ++g) {
    const int end = ends.data<int>()[g];
    if (a.dim() == 2 && b.dim() == 3) {
      parts.push_back(product_of(
          mx::slice(x, {start, 0}, {end, x.shape(1)}), mx::take(w, g, 0)));
    } else if (a.dim() == 2) {
      parts.push_back(mx::expand_dims(
          product_of(
              mx::slice(x, {0, start}, {x.shape(0), end}),
              mx::slice(w, {start, 0}, {end, w.shape(1)})),
          0));
    } else {
      call.refuse_operation("grouped products of these ranks");
    }
    start = end;
  }
  // Rows past the last group are undefined in torch: zeros here.
  if (a.dim() == 2 && b.dim() == 3 && start < x.shape(0)) {
    parts.push_back(mx::zeros({x.shape(0) - start, w.shape(2)}, x.dtype()));
  }
  mx::array out = mx::concatenate(parts, 0);
  if (const Tensor* bias = call.tensor_or_null(3)) {
    out = out + computed(*bias);
  }
  return call.cast(out, call.dtype(4, dtype));
}

constexpr OpSpec kLinearOps[] = {
    {"matmul(input, other)",
     matmul_op,
     "torch; tensor; tensor:__matmul__; linalg"},
    {"rmatmul(input, other)", rmatmul, "tensor:__rmatmul__"},
    {"mm(input, mat2)", mm, "torch; tensor"},
    {"mv(input, vec)", mv, "torch; tensor"},
    {"dot(input, tensor)", dot, "torch; tensor; torch:inner; torch:vdot"},
    {"bmm(input, mat2)", bmm, "torch; tensor"},
    {"addmm(input, mat1, mat2, beta=1, alpha=1)",
     addmm,
     "torch(input, mat1, mat2, *, beta=1, alpha=1); tensor; inplace"},
    {"baddbmm(input, batch1, batch2, beta=1, alpha=1)",
     baddbmm,
     "torch(input, batch1, batch2, *, beta=1, alpha=1); tensor; inplace"},
    {"linear(input, weight, bias=None)", linear, "F"},
    {"einsum(equation, *operands)", einsum, "_native"},
    {"tensordot(a, b, dims=2)", tensordot, "torch"},
    {"outer(input, vec2)", outer_product, "torch; torch:ger; tensor"},
    {"grouped_mm(input, mat2, offs=None, bias=None, out_dtype=None)",
     grouped_mm,
     "torch:_grouped_mm; F"},
};

}  // namespace

std::span<const OpSpec> linear_ops() {
  return kLinearOps;
}

}  // namespace portwright::torch

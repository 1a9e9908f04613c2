#include "torch/backend.h"
#include "torch/dispatch.h"
#include "torch/elementwise.h"
#include "torch/matmul.h"

namespace portwright::torch {
namespace {

/// Solves A X = B (or X A = B) for a triangular A.
Value solve_triangular(Call& call) {
  const Tensor &a = call.tensor(0), &b = call.tensor(1);
  const bool upper = call.boolean(2), left = call.boolean(3, true),
             unit = call.boolean(4);
  if (a.dtype != b.dtype || !is_floating_point(a.dtype)) {
    call.raise(
        "RuntimeError",
        "linalg.solve_triangular: Expected A and B to have the same dtype");
  }
  mx::array matrix = cast_array(a.array(), Dtype::Float32);
  mx::array right = cast_array(b.array(), Dtype::Float32);
  if (!left) {
    matrix = mx::swapaxes(matrix, -1, -2);
    right = mx::swapaxes(right, -1, -2);
  }
  const bool is_upper = left ? upper : !upper;
  const int n = matrix.shape(-1);
  if (unit) {
    matrix = mx::where(mx::eye(n, n, 0, mx::bool_), like(1, matrix), matrix);
  }
  // MLX factorises general batches on the CPU only, one way for all ranks:
  // its own solver reads just the named triangle.
  const auto batch = mx::broadcast_shapes(
      mx::Shape(matrix.shape().begin(), matrix.shape().end() - 2),
      mx::Shape(right.shape().begin(), right.shape().end() - 2));
  auto with = [&](const mx::array& x) {
    mx::Shape shape = batch;
    shape.push_back(x.shape(-2));
    shape.push_back(x.shape(-1));
    return mx::contiguous(mx::broadcast_to(x, shape));
  };
  mx::array out = mx::linalg::solve_triangular(
      with(matrix), with(right), is_upper, Backend::factorizations());
  if (!left) {
    out = mx::swapaxes(out, -1, -2);
  }
  return call.cast(out, a.dtype);
}

Value inv(Call& call) {
  const Tensor& a = call.tensor(0);
  return call.cast(
      mx::linalg::inv(
          cast_array(a.array(), Dtype::Float32), Backend::factorizations()),
      a.dtype);
}

Value matrix_norm(Call& call) {
  const Tensor& a = call.tensor(0);
  if (call.has(1) && !(call.args[1].is_str() && call.args[1].str() == "fro")) {
    call.refuse_argument(1, "only the Frobenius norm is known");
  }
  const mx::array x = cast_array(a.array(), compute_dtype(a.dtype));
  return call.cast(
      mx::sqrt(
          mx::sum(mx::square(x), std::vector<int>{-2, -1}, call.boolean(2))),
      a.dtype);
}

constexpr OpSpec kLinalgOps[] = {
    {"linalg.solve_triangular(A, B, upper, left=True, unitriangular=False)",
     solve_triangular,
     "linalg(A, B, *, upper, left=True, unitriangular=False)"},
    {"linalg.inv(A)", inv, "linalg; torch:inverse(A); tensor:inverse(A)"},
    {"linalg.matrix_norm(A, ord=None, keepdim=False)", matrix_norm, "linalg"},
};

}  // namespace

std::span<const OpSpec> linalg_ops() {
  return kLinalgOps;
}

}  // namespace portwright::torch

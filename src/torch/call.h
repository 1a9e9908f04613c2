#pragma once

#include <mlx/mlx.h>

#include "base/check.h"
#include "eval/interpreter.h"
#include "torch/promotion.h"
#include "torch/state.h"
#include "torch/views.h"

namespace portwright::torch {

using eval::Value;

/// One running operation: its arguments by position in the op's signature,
/// and ways to make results. Readers raise TypeError as torch does.
class Call {
 public:
  Call(
      eval::Interpreter& interp,
      State& state,
      const Op& op,
      std::span<const Value> args)
      : interp(interp), state(state), op(op), args(args) {}

  eval::Interpreter& interp;
  State& state;
  const Op& op;
  std::span<const Value> args;

  // ---- arguments ----

  /// Given, and not None.
  bool has(size_t i) const {
    return args[i].defined() && !args[i].is_none();
  }
  const Tensor& tensor(size_t i) const;
  Tensor& self() const;  // the first argument, to be written to
  const Tensor* tensor_or_null(size_t i) const;
  const mx::array& array(size_t i) const {
    return tensor(i).array();
  }
  int64_t integer(size_t i) const;
  int64_t integer(size_t i, int64_t otherwise) const {
    return has(i) ? integer(i) : otherwise;
  }
  double real(size_t i) const;
  double real(size_t i, double otherwise) const {
    return has(i) ? real(i) : otherwise;
  }
  bool boolean(size_t i, bool otherwise = false) const;
  std::string text(size_t i, std::string_view otherwise) const;
  /// An int, a tuple or a list of ints.
  Sizes ints(size_t i) const;
  std::optional<Dtype> dtype(size_t i) const;
  Dtype dtype(size_t i, Dtype otherwise) const {
    return dtype(i).value_or(otherwise);
  }
  /// A tuple or list of tensors.
  std::vector<const Tensor*> tensors(size_t i) const;
  /// An axis of a tensor with `rank` axes, from 0; IndexError out of range.
  int axis(size_t i, int64_t rank) const;
  int wrap_axis(int64_t axis, int64_t rank) const;
  /// Distinct axes; none given means all of them.
  std::vector<int> axes(size_t i, int64_t rank) const;

  // ---- results ----

  Value make(mx::array array, Dtype dtype, Sizes strides = {}) const;
  Value make(mx::array array) const;
  /// Rounds to the dtype first.
  Value cast(const mx::array& array, Dtype dtype, Sizes strides = {}) const;
  Value view(
      const Tensor& source,
      Sizes sizes,
      Sizes strides,
      int64_t offset,
      mx::array value) const;
  /// The named pair that max(dim), sort and topk answer.
  Value values_indices(Value values, Value indices) const;

  // ---- writing ----

  /// Raises RuntimeError where torch refuses in-place writes.
  void check_writable(const Tensor& tensor) const;
  /// Writes a value that broadcasts to the tensor's shape, cast to its dtype.
  void store(Tensor& tensor, const mx::array& value) const;

  // ---- errors ----

  [[noreturn]] void raise(std::string_view type, std::string message) const {
    interp.raise(type, std::move(message));
  }
  [[noreturn]] void refuse_argument(size_t i, std::string why) const;
  [[noreturn]] void refuse_operation(std::string why) const;
  [[noreturn]] void bad_argument(size_t i, std::string_view wanted) const;
};

/// A Python number from any value that has __index__ or __float__, tensors of
/// one element included.
int64_t to_int64(eval::Interpreter& interp, const Value& value);
double to_double(eval::Interpreter& interp, const Value& value);

/// The only element of an array, as the Python number for its dtype.
Value element(Dtype dtype, const mx::array& array);
/// A 0-dim array of a Python number.
mx::array number_array(const Value& number, Dtype dtype);
mx::array cast_array(const mx::array& array, Dtype dtype);

/// The dtype of arithmetic inside an op: float32 for the half types.
Dtype compute_dtype(Dtype dtype);
/// The elements in that dtype.
mx::array computed(const Tensor& tensor);

/// Sizes after broadcasting; RuntimeError in torch's words.
Sizes broadcast_sizes(Call& call, const Sizes& a, const Sizes& b);

std::string sizes_text(const Sizes& sizes);  // "[2, 3]"

}  // namespace portwright::torch

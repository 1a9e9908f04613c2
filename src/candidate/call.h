#pragma once

#include <optional>
#include <span>
#include <string_view>
#include <utility>
#include <vector>

#include <mlx/mlx.h>

#include "candidate/array.h"

namespace portwright::candidate {

/// The bound arguments of one running operation and ways to answer. Readers
/// raise TypeError for what mlx.core would not take.
class Call {
 public:
  Call(eval::Interpreter& interp, State& state, std::span<Value> args)
      : interp(interp), state(state), args(args) {}

  eval::Interpreter& interp;
  State& state;
  std::span<Value> args;

  bool has(size_t i) const {
    return args[i].defined() && !args[i].is_none();
  }
  const mx::array& array(size_t i) const;
  std::optional<mx::array> optional_array(size_t i) const;
  /// An array, or a Python number as one; of `weak` type where that can hold
  /// the number.
  mx::array operand(size_t i, std::optional<mx::Dtype> weak = {}) const;
  /// Two operands: a Python number takes the type of the array beside it.
  std::pair<mx::array, mx::array> operands(size_t i, size_t j) const;
  int integer(size_t i) const;
  int integer(size_t i, int otherwise) const {
    return has(i) ? integer(i) : otherwise;
  }
  std::optional<int> optional_integer(size_t i) const;
  double real(size_t i) const;
  bool boolean(size_t i) const;
  std::string text(size_t i) const;
  /// An int or a sequence of ints.
  std::vector<int> integers(size_t i) const;
  mx::Shape shape(size_t i) const;
  /// None means all axes of an array of that rank.
  std::vector<int> axes(size_t i, size_t rank) const;
  std::optional<mx::Dtype> dtype(size_t i) const;
  mx::Dtype dtype(size_t i, mx::Dtype otherwise) const {
    return dtype(i).value_or(otherwise);
  }
  std::vector<mx::array> arrays(size_t i) const;

  Value make(mx::array array) const {
    return make_array(state, std::move(array));
  }
  Value list(const std::vector<mx::array>& arrays) const;
  Value tuple(const std::vector<mx::array>& arrays) const;

  [[noreturn]] void bad_argument(size_t i, std::string_view wanted) const;
};

/// A Python number as a 0-dim array: of `weak` type where that can hold it,
/// else bool, int32 (int64 past its range) or float32. Nothing for other
/// values.
std::optional<mx::array> number_array(
    const Value& value,
    std::optional<mx::Dtype> weak = {});

/// mx.array(value): numbers, arrays and nested sequences of them.
mx::array array_from(
    eval::Interpreter& interp,
    const Value& value,
    std::optional<mx::Dtype> dtype = {});

}  // namespace portwright::candidate

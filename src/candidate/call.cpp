#include "candidate/call.h"

namespace portwright::candidate {

using eval::Interpreter;
using eval::Kind;

std::optional<mx::array> number_array(
    const Value& value,
    std::optional<mx::Dtype> weak) {
  if (value.is_bool()) {
    return mx::array(value.as_bool(), weak.value_or(mx::bool_));
  }
  if (value.is_int()) {
    const int64_t number = value.as_int();
    const bool small = number >= INT32_MIN && number <= INT32_MAX;
    mx::Dtype type = weak.value_or(small ? mx::int32 : mx::int64);
    if (type == mx::bool_) {
      type = mx::int32;
    }
    return mx::array(number, type);
  }
  if (value.is_float()) {
    const mx::Dtype type = weak.value_or(mx::float32);
    return mx::array(
        static_cast<float>(value.as_double()),
        mx::issubdtype(type, mx::inexact) ? type : mx::float32);
  }
  return {};
}

const mx::array& Call::array(size_t i) const {
  if (const Array* a = as_array(args[i])) {
    return a->array;
  }
  bad_argument(i, "an array");
}

std::optional<mx::array> Call::optional_array(size_t i) const {
  return has(i) ? std::optional(array(i)) : std::nullopt;
}

mx::array Call::operand(size_t i, std::optional<mx::Dtype> weak) const {
  if (const Array* a = as_array(args[i])) {
    return a->array;
  }
  if (auto number = number_array(args[i], weak)) {
    return *number;
  }
  bad_argument(i, "an array or a number");
}

std::pair<mx::array, mx::array> Call::operands(size_t i, size_t j) const {
  const Array* a = as_array(args[i]);
  const Array* b = as_array(args[j]);
  if (a && b) {
    return {a->array, b->array};
  }
  if (a) {
    return {a->array, operand(j, a->array.dtype())};
  }
  if (b) {
    return {operand(i, b->array.dtype()), b->array};
  }
  return {operand(i), operand(j)};
}

int Call::integer(size_t i) const {
  if (args[i].is_integral()) {
    return static_cast<int>(args[i].as_int());
  }
  bad_argument(i, "an int");
}

std::optional<int> Call::optional_integer(size_t i) const {
  return has(i) ? std::optional(integer(i)) : std::nullopt;
}

double Call::real(size_t i) const {
  if (args[i].is_number()) {
    return args[i].as_double();
  }
  bad_argument(i, "a number");
}

bool Call::boolean(size_t i) const {
  if (args[i].is_bool()) {
    return args[i].as_bool();
  }
  bad_argument(i, "a bool");
}

std::string Call::text(size_t i) const {
  if (args[i].is_str()) {
    return args[i].str();
  }
  bad_argument(i, "a str");
}

std::vector<int> Call::integers(size_t i) const {
  if (args[i].is_integral()) {
    return {integer(i)};
  }
  if (!args[i].is(Kind::Tuple) && !args[i].is(Kind::List)) {
    bad_argument(i, "an int or a sequence of ints");
  }
  std::vector<int> out;
  for (const Value& item : interp.to_vector(args[i])) {
    if (!item.is_integral()) {
      bad_argument(i, "a sequence of ints");
    }
    out.push_back(static_cast<int>(item.as_int()));
  }
  return out;
}

mx::Shape Call::shape(size_t i) const {
  const auto sizes = integers(i);
  return mx::Shape(sizes.begin(), sizes.end());
}

std::vector<int> Call::axes(size_t i, size_t rank) const {
  if (has(i)) {
    return integers(i);
  }
  std::vector<int> out(rank);
  for (size_t axis = 0; axis < rank; ++axis) {
    out[axis] = static_cast<int>(axis);
  }
  return out;
}

std::optional<mx::Dtype> Call::dtype(size_t i) const {
  if (!has(i)) {
    return {};
  }
  if (const DtypeObject* d = as_dtype(args[i])) {
    return d->dtype;
  }
  bad_argument(i, "a Dtype");
}

std::vector<mx::array> Call::arrays(size_t i) const {
  std::vector<mx::array> out;
  interp.for_each(args[i], [&](Value item) {
    const Array* a = as_array(item);
    if (!a) {
      bad_argument(i, "a sequence of arrays");
    }
    out.push_back(a->array);
  });
  return out;
}

namespace {

std::vector<Value> wrapped(
    const Call& call,
    const std::vector<mx::array>& arrays) {
  std::vector<Value> out;
  for (const mx::array& a : arrays) {
    out.push_back(call.make(a));
  }
  return out;
}

/// The numbers of a nested sequence, and what they need: its shape, whether
/// all are bools, whether one is a float.
struct Numbers {
  mx::Shape shape;
  std::vector<double> values;
  bool bools = true, floats = false;
};

bool is_sequence(const Value& value) {
  return value.is(Kind::List) || value.is(Kind::Tuple);
}

bool holds_array(Interpreter& interp, const Value& value) {
  if (!is_sequence(value)) {
    return as_array(value);
  }
  const auto items = interp.to_vector(value);
  return std::any_of(items.begin(), items.end(), [&](const Value& item) {
    return holds_array(interp, item);
  });
}

void collect(
    Interpreter& interp,
    const Value& value,
    size_t depth,
    Numbers& out) {
  if (value.is_number()) {
    if (depth != out.shape.size()) {
      interp.raise(
          "ValueError", "Initialization encountered non-uniform length.");
    }
    out.values.push_back(value.as_double());
    out.bools = out.bools && value.is_bool();
    out.floats = out.floats || value.is_float();
    return;
  }
  if (!is_sequence(value)) {
    interp.raise(
        "ValueError",
        "Invalid type " + interp.class_of(value)->name +
            " received in array initialization.");
  }
  const auto items = interp.to_vector(value);
  const int size = static_cast<int>(items.size());
  if (depth == out.shape.size()) {
    out.shape.push_back(size);
  } else if (out.shape[depth] != size) {
    interp.raise(
        "ValueError", "Initialization encountered non-uniform length.");
  }
  for (const Value& item : items) {
    collect(interp, item, depth + 1, out);
  }
}

mx::array from_numbers(const Numbers& numbers, std::optional<mx::Dtype> dtype) {
  const bool none = numbers.values.empty();
  const mx::Dtype type = dtype.value_or(
      none || numbers.floats ? mx::float32
      : numbers.bools        ? mx::bool_
                             : mx::int32);
  if (none) {
    return mx::zeros(numbers.shape, type);
  }
  if (numbers.floats || mx::issubdtype(type, mx::inexact)) {
    std::vector<float> values(numbers.values.begin(), numbers.values.end());
    return mx::astype(mx::array(values.data(), numbers.shape), type);
  }
  std::vector<int64_t> values(numbers.values.begin(), numbers.values.end());
  return mx::astype(mx::array(values.data(), numbers.shape), type);
}

}  // namespace

mx::array array_from(
    Interpreter& interp,
    const Value& value,
    std::optional<mx::Dtype> dtype) {
  if (const Array* a = as_array(value)) {
    return dtype ? mx::astype(a->array, *dtype) : a->array;
  }
  if (auto number = number_array(value)) {
    return dtype ? mx::astype(*number, *dtype) : *number;
  }
  if (is_sequence(value) && holds_array(interp, value)) {
    std::vector<mx::array> parts;
    for (const Value& item : interp.to_vector(value)) {
      parts.push_back(array_from(interp, item, dtype));
    }
    return mx::stack(parts);
  }
  Numbers numbers;
  collect(interp, value, 0, numbers);
  return from_numbers(numbers, dtype);
}

Value Call::list(const std::vector<mx::array>& arrays) const {
  return eval::list(wrapped(*this, arrays));
}

Value Call::tuple(const std::vector<mx::array>& arrays) const {
  return eval::tuple(wrapped(*this, arrays));
}

void Call::bad_argument(size_t i, std::string_view wanted) const {
  interp.raise(
      "TypeError",
      fmt::format(
          "argument {} must be {}, not {}",
          i,
          wanted,
          interp.class_of(args[i])->name));
}

}  // namespace portwright::candidate

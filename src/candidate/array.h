#pragma once

#include <mlx/array.h>

#include <map>

#include "eval/interpreter.h"
#include "torch/submission.h"

namespace portwright::candidate {

namespace mx = mlx::core;
using eval::Value;

/// An mx.array. Item assignment and in-place operators give the object another
/// array; as in MLX, whoever holds the object sees it.
struct Array : eval::Object {
  Array(eval::Class* cls, mx::array array)
      : Object(eval::Kind::Opaque, cls), array(std::move(array)) {}
  mx::array array;
};

/// An mx.Dtype.
struct DtypeObject : eval::Object {
  DtypeObject(eval::Class* cls, mx::Dtype dtype)
      : Object(eval::Kind::Opaque, cls), dtype(dtype) {}
  mx::Dtype dtype;
};

/// What mlx.core keeps per interpreter.
struct State : eval::Object {
  State() : Object(eval::Kind::Opaque) {}
  void clear() override;

  eval::Class* array_class = nullptr;
  eval::Class* at_class = nullptr;  // what x.at[...] answers
  eval::Class* dtype_class = nullptr;
  std::map<mx::Dtype::Val, Value> dtypes;
  torch::Submission submission;
};

/// Null for anything else.
inline Array* as_array(const Value& value) {
  return value.is(eval::Kind::Opaque) ? dynamic_cast<Array*>(value.object())
                                      : nullptr;
}
inline DtypeObject* as_dtype(const Value& value) {
  return value.is(eval::Kind::Opaque)
             ? dynamic_cast<DtypeObject*>(value.object())
             : nullptr;
}

inline Value make_array(const State& state, mx::array array) {
  return Value(eval::make<Array>(state.array_class, std::move(array)));
}

}  // namespace portwright::candidate

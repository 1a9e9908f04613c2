#pragma once

#include <vector>

#include "eval/interpreter.h"

namespace portwright::eval {

/// list[int], or the union int | str (origin: types.UnionType). Inert: usable
/// in annotations, as a base class, as a callable, in isinstance (unions).
struct GenericAlias : Object {
  GenericAlias(Class* cls, Value origin, std::vector<Value> args);
  void clear() override;
  Value origin;
  std::vector<Value> args;
};

/// origin[index]; a tuple index is several arguments.
Value make_alias(Interpreter& interp, const Value& origin, const Value& index);

/// a | b, flattened; Undefined when either is no type, alias or None.
Value make_union(Interpreter& interp, const Value& a, const Value& b);

/// Null when the value is no alias.
GenericAlias* as_alias(Interpreter& interp, const Value& value);

}  // namespace portwright::eval

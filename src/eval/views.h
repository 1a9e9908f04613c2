#pragma once

#include "eval/interpreter.h"

namespace portwright::eval {

/// dict.keys(), .values(), .items(): live views of a dict.
struct DictView : Object {
  enum class What : uint8_t { Keys, Values, Items };
  DictView(Interpreter& interp, Ref<Dict> dict, What what);
  void clear() override;
  Ref<Dict> dict;
  What what;
  /// Of the dict itself, so that what is read from it stays traceable.
  const Provenance* provenance = nullptr;
};

/// Null when the value is no dict view.
DictView* as_view(Interpreter& interp, const Value& value);

/// A set of what a view, set or iterable holds.
Ref<Set> to_set(Interpreter& interp, const Value& value);

/// (key, value) or either, as the view shows an entry.
Value view_item(const DictView& view, const Dict::Entry& entry);

}  // namespace portwright::eval

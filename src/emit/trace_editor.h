#pragma once

#include <memory>
#include <string>
#include <vector>

#include "emit/context.h"

namespace portwright::emit {

/// Changes a recorded trace: new values, operations on them, and calls of the
/// library's functions in which they stand.
class TraceEditor {
 public:
  TraceEditor(eval::Interpreter& interp, Trace& trace)
      : interp_(interp), trace_(trace) {}

  /// A value of the dtype and the names of another.
  ValueId define(ValueId like, const mlx::core::array& array);

  /// An operation on a value, with the arguments that follow it.
  OpNode operation(
      const char* name,
      ValueId input,
      const std::vector<eval::Value>& more);

  /// A call of the library's, by the name of a function or "Class.method".
  std::unique_ptr<Frame>
  call(const char* module, const char* name, Frame& parent, base::Span at);

  /// Cache.update of keys and values, the n-th of the trace; its items and
  /// outputs are the caller's to add.
  std::unique_ptr<Frame>
  update(ValueId keys, ValueId values, Frame& parent, base::Span at);

  /// Puts items before another; operations keep being found by what they make.
  void insert(
      Frame& frame,
      const trace::Item& before,
      std::vector<trace::Item> added);

  eval::Interpreter& interp() {
    return interp_;
  }
  const eval::Value& tensor(ValueId id) const {
    return trace_.info(id).tensor;
  }
  mlx::core::array array(ValueId id) const {
    return torch::array_of(*torch::as_tensor(tensor(id)));
  }

 private:
  eval::Interpreter& interp_;
  Trace& trace_;
  int64_t caches_ = 0;
};

/// A causal mask of the library's, made before all else: (B, 1, L, S) of the
/// dtype of `like`, 0 where `open` (L, S) is true, or the smallest number.
ValueId library_mask(
    TraceEditor& editor,
    Trace& trace,
    ValueId like,
    const mlx::core::array& open,
    int64_t batch,
    base::Span at);

}  // namespace portwright::emit

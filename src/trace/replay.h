#pragma once

#include <functional>
#include <unordered_map>

#include "eval/interpreter.h"
#include "trace/trace.h"

namespace portwright::trace {

/// Computes values of a trace again, with some of them replaced. Shapes stay
/// those of the recording. Raises what the operations raise.
class Replay {
 public:
  Replay(eval::Interpreter& interp, const Trace& trace)
      : interp_(interp), trace_(trace) {}

  /// Uses `array` (of the value's shape and dtype) wherever `id` is read.
  void replace(ValueId id, const mx::array& array);
  /// Uses `changed(v)`, where that is defined, for a number v that an operation
  /// is given.
  void change_numbers(std::function<eval::Value(const eval::Value&)> changed) {
    changed_ = std::move(changed);
  }
  /// The value, computed from what was replaced, parameters and constants.
  mx::array compute(ValueId id);
  /// True when the value depends on any replaced one.
  bool depends(ValueId id);

 private:
  eval::Value tensor(ValueId id);
  eval::Value substituted(
      const eval::Value& arg,
      const std::vector<ValueId>& ids,
      size_t& next);

  bool changes(const eval::Value& arg) const;

  eval::Interpreter& interp_;
  const Trace& trace_;
  std::function<eval::Value(const eval::Value&)> changed_;
  std::unordered_map<ValueId, eval::Value> values_;
  std::unordered_map<ValueId, bool> depends_;
};

}  // namespace portwright::trace

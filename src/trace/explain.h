#pragma once

#include <optional>
#include <string>
#include <vector>

#include "trace/trace.h"

namespace portwright::trace {

/// One line of source that took part, with what it made.
struct ExplainedLine {
  std::string file;
  uint32_t line = 0;
  std::string text;
  /// "float32[1,14,96] query_states": tensors that operations of this line
  /// made, and modules that it called with what they gave.
  std::vector<std::string> made;
  /// "config.attention_bias is true", for each condition decided here.
  std::vector<std::string> decided;
};

/// The lines of source that computed `name`: a module's path (what its forward
/// does itself; the modules it calls have names of their own) or a parameter's
/// (what reads it). In the order of evaluation, first call only; nothing where
/// the trace knows no such name.
std::optional<std::vector<ExplainedLine>> explain(
    const Trace& trace,
    const std::string& name);

/// Lines for a terminal, under a heading for each file.
std::string to_text(const std::vector<ExplainedLine>& lines);

}  // namespace portwright::trace

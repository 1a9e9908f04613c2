#pragma once

#include <string>
#include <vector>

#include "base/source.h"
#include "diagnostics/kinds.h"

namespace portwright::diagnostics {

/// One fault in the user's input. `construct` is the smallest piece of source
/// text that is at fault (for holes: what has to be filled), `hint` what to do
/// next.
struct Diagnostic {
  Kind kind;
  std::string message;
  base::Span span;
  std::string hint;
  std::string construct;
  /// Where the evaluation was when it met the fault, innermost first.
  std::vector<base::Span> called_from;
};

/// `error[kind]: message`, file:line:col, the source line and a caret.
std::string render_text(const Diagnostic& diagnostic, bool color = false);

/// {"kind", "message", "file", "line", "column", "construct", "hint"} as JSON.
std::string render_json(const Diagnostic& diagnostic);

}  // namespace portwright::diagnostics

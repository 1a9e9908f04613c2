#pragma once

#include <memory>
#include <string>
#include <vector>

#include "base/source.h"
#include "diagnostics/diagnostic.h"
#include "syntax/ast.h"

namespace portwright::syntax {

struct ParseResult {
  /// Statements that could be parsed, also when there are diagnostics.
  Tree tree;
  /// Empty exactly when the source is valid Python.
  std::vector<diagnostics::Diagnostic> diagnostics;
};

/// Parses a whole module. `bytes` is the file as stored: a byte order mark and
/// a PEP 263 coding line are honoured, and the text is decoded to UTF-8.
ParseResult parse_module(std::string path, std::string bytes);

}  // namespace portwright::syntax

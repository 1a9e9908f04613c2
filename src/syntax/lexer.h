#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/source.h"
#include "diagnostics/diagnostic.h"
#include "syntax/name_table.h"
#include "syntax/token.h"

namespace portwright::syntax {

struct LexResult {
  /// In source order, closed by kPadding EndOfFile tokens, so that a parser may
  /// look ahead without asking for the end.
  std::vector<Token> tokens;
  NameTable names;
  std::vector<base::Span> comments;

  static constexpr int kPadding = 4;
};

/// Cuts decoded source into tokens. Faults are appended to `diagnostics`; the
/// text at fault becomes an Error token.
LexResult lex(
    const base::SourceFile& source,
    std::vector<diagnostics::Diagnostic>& diagnostics);

}  // namespace portwright::syntax

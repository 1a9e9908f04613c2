#pragma once

#include <string>

#include "syntax/ast.h"

namespace portwright::syntax {

struct DumpOptions {
  /// lineno, col_offset, end_lineno, end_col_offset (UTF-8 bytes).
  bool attributes = false;
  /// With attributes: also inside f-strings, whose positions CPython got right
  /// in 3.12 only.
  bool fstring_attributes = true;
};

/// The tree as CPython 3.11's ast.dump(tree, include_attributes=attributes)
/// prints it. Fields that 3.11 lacks (type_params) are printed where they are
/// not empty.
std::string dump(const Tree& tree, const DumpOptions& options);
std::string dump(const Tree& tree, bool attributes);

}  // namespace portwright::syntax

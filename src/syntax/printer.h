#pragma once

#include <string>

#include "syntax/ast.h"

namespace portwright::syntax {

/// Python source for a node, with as few parentheses as its meaning needs:
/// parsing it again gives an equal tree. Statements end without a line end,
/// a whole tree with one; blocks are indented by four spaces.
std::string print(const Expr& expr);
std::string print(const Pattern& pattern);
std::string print(const Stmt& stmt);
std::string print(const Tree& tree);

/// The first line of a statement without its block: `if self.use_rope:`.
/// Decorators are left out.
std::string print_header(const Stmt& stmt);

}  // namespace portwright::syntax

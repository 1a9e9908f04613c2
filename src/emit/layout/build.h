#pragma once

#include <memory>

#include "base/result.h"
#include "emit/layout/tree.h"
#include "syntax/ast.h"

namespace portwright::emit::printing {

struct Module {
  std::unique_ptr<Tree> tree;
  Node* root;  // File
};

/// The concrete tree of a parsed module: the structure is the AST's, tokens and
/// comments come from reading its source once more. Fails, with a place, on
/// statements that layout() does not serve.
base::Result<Module> build(const syntax::Tree& parsed);

}  // namespace portwright::emit::printing

#pragma once

#include <functional>

#include "emit/layout/line.h"
#include "emit/layout/tree.h"

namespace portwright::emit::printing {

/// Hands the logical lines of a module to `sink`, in order. Literals are
/// normalized and invisible parentheses put in on the way.
void generate_lines(
    Tree& tree,
    Node* root,
    const std::function<void(Line&)>& sink);

}  // namespace portwright::emit::printing

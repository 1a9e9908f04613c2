#pragma once

#include <initializer_list>
#include <string_view>

#include "emit/layout/tree.h"

namespace portwright::emit::printing {

/// Puts invisible parentheses around what follows the given words (and commas)
/// in a statement; redundant visible ones there become invisible. A split may
/// make them visible.
void normalize_parentheses(
    Tree& tree,
    Node* statement,
    std::initializer_list<std::string_view> after);

/// As above for what follows assignment signs.
void normalize_assignment(Tree& tree, Node* statement);

/// Hides an atom's parentheses where they are redundant. Returns whether the
/// node should be put in invisible ones itself.
bool hide_parentheses(Node* node, Node* parent, bool around_commas_too = false);

}  // namespace portwright::emit::printing

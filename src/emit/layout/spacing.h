#pragma once

#include <string_view>

#include "emit/layout/brackets.h"
#include "emit/layout/tree.h"

namespace portwright::emit::printing {

/// What stands before the leaf within a line: nothing, a blank, or, before a
/// comment, two. `brackets` has seen the line up to the leaf.
std::string_view spacing(const Node& leaf, const BracketTracker& brackets);

}  // namespace portwright::emit::printing

#pragma once

#include "emit/layout/tree.h"

namespace portwright::emit::printing {

/// The least minor version of Python 3 (from 3 on) that has the syntax found
/// below the node, as far as layout depends on it.
int least_version(const Node& node);

}  // namespace portwright::emit::printing

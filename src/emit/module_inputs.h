#pragma once

#include "emit/context.h"

namespace portwright::emit {

/// What a call is handed at run time: data, and parameters of its caller.
/// Blocks get positions by their cache, other modules as they are.
bool is_handed(const Context& context, const Frame& frame, ValueId id);

}  // namespace portwright::emit

#pragma once

#include "emit/model_writer.h"

namespace portwright::emit {

/// Notes the states that layers hand on in float32 in a bfloat16 model, as
/// where they add to a residual in float32. The first layer may convert what
/// the others are given so: all are, then, and are of one class.
void find_wide_states(Context& context, const Roles& roles);

}  // namespace portwright::emit

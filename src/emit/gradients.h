#pragma once

#include "trace/trace.h"

namespace portwright::emit {

/// True for a test in the forward of `frame` whose outcome only ever reaches
/// names that choose between torch.no_grad() and nothing: no number depends on
/// it.
bool decides_gradients_alone(
    const trace::Frame& frame,
    const trace::Branch& branch);

}  // namespace portwright::emit

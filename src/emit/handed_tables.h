#pragma once

#include "emit/context.h"

namespace portwright::emit {

/// Weights of a module around the layers from which it makes what they attend
/// by, as a bias for each distance: how many keys there are is known inside
/// alone. The layers are then given the weights, and make it themselves; those
/// are added to `evaluation.handed`.
void hand_on_tables(
    eval::Interpreter& interp,
    Trace& trace,
    Evaluation& evaluation);

/// True for a mask with something added, all of which is made of weights and
/// lengths beside a whole mask.
bool is_mask_with_bias(
    const Trace& trace,
    const lift::Flows& flows,
    ValueId id);

}  // namespace portwright::emit

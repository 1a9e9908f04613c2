#pragma once

#include <vector>

#include "emit/kept_states.h"

namespace portwright::emit {

/// The innermost module with parameters that makes and reads a state; null for
/// none.
Frame* keeper_of(const Trace& trace, const KeptStates::Change& change);

/// What a caller keeps for its layers becomes theirs, as if they kept it
/// themselves: what it copies into a cache of its own, and each layer's slice
/// of one tensor, x[:, :, i]. What the caller does for that is in the trace no
/// more, nor are the states among what the layers are given and answer. Only
/// what follows from `ids` is a state; 0: no matter. Returns the changes of the
/// layers' own states, and those left alone.
std::vector<KeptStates::Change> give_to_layers(
    eval::Interpreter& interp,
    Trace& trace,
    const std::vector<KeptStates::Change>& changes,
    ValueId ids);

/// Values from `first` on whose operations are in the trace no more have none.
void find_producers(Trace& trace, ValueId first);

}  // namespace portwright::emit

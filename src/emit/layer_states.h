#pragma once

#include <vector>

#include "emit/kept_states.h"

namespace portwright::emit {

/// The innermost module with parameters that makes and reads a state; null for
/// none.
Frame* keeper_of(const Trace& trace, const KeptStates::Change& change);

/// True for a call inside another, or for that one itself.
bool stands_in(const Frame* frame, const Frame& outer);

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

/// The states of layers among the changes of a first forward, which may make
/// the tensors itself; the trace stays as it is.
std::vector<KeptStates::Change> layer_states(
    const Trace& trace,
    const std::vector<KeptStates::Change>& changes);

/// Takes values out of what a call was given and what it answered.
void take_out(
    eval::Interpreter& interp,
    Frame& frame,
    const std::set<ValueId>& values);

/// Takes the root's items past the first `items` out of a trace, which made the
/// values from `first` on.
void forget_rest(Trace& trace, size_t items, ValueId first);

/// Values from `first` on whose operations are in the trace no more have none.
void find_producers(Trace& trace, ValueId first);

}  // namespace portwright::emit

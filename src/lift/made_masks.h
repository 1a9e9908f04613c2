#pragma once

#include "eval/interpreter.h"
#include "lift/graph.h"

namespace portwright::lift {

/// Finds the masks that the source makes by operations of its own, and notes
/// them in `flows`: values (B, 1, L, S) computed from the attention mask (B, S)
/// outside of the modules that attend, which are 0 or true for the keys that a
/// query may read and very small or false for all others, whatever of the mask
/// is padding. Those keys are all so far, or the last ones of a window.
/// `length`: L.
void note_made_masks(
    eval::Interpreter& interp,
    const Trace& trace,
    int64_t length,
    Flows& flows);

}  // namespace portwright::lift

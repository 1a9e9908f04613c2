#pragma once

#include <optional>
#include <vector>

#include "eval/interpreter.h"
#include "lift/graph.h"

namespace portwright::lift {

/// A bias on scores that grows with the key's place, by a slope for each head
/// (ALiBi). What it adds for a query is of no matter to softmax.
struct KeyBias {
  /// (.., S); (H, 1, S) or (B H, 1, S) without other axes; of several queries
  /// by their distance from each key, (.., L, S).
  ValueId output = 0;
  ValueId slopes = 0;  // H numbers that the model computes from its config
  bool by_distance = false;
  bool masks = false;  // it hides later keys and padding, too
};

/// Finds whether a value of neither data nor weights is such a bias over all
/// keys, which it may count by the attention mask. It is computed anew with
/// nothing masked, and the slopes are looked for among the trace's constants.
std::optional<KeyBias> lift_key_bias(
    eval::Interpreter& interp,
    const Trace& trace,
    const Flows& flows,
    ValueId output);

/// Notes the values that are such a bias for several heads and a whole mask.
void note_biased_masks(
    eval::Interpreter& interp,
    const Trace& trace,
    int64_t length,
    Flows& flows);

}  // namespace portwright::lift

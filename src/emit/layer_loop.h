#pragma once

#include "emit/model_writer.h"

namespace portwright::emit {

/// What the layers are given beside the chained states: values that all share,
/// computed before the loop, and for each layer its own part of one.
struct LayerInputs {
  std::vector<std::string> extra;  // as text in the loop
  bool by_index = false;           // some reads the index `i`
};

/// ... where some layers keep keys and values beside states, for those apart.
struct LoopInputs {
  LayerInputs usual, both;
};

/// Writes what all layers are given, and finds it.
LoopInputs
find_loop_inputs(ModuleWriter& w, const Roles& roles, const Masks& masks);

/// `for layer, c in zip(self.layers, cache):`, over states that are named `h`.
void write_layer_loop(
    ModuleWriter& w,
    const Roles& roles,
    const Masks& masks,
    const LoopInputs& inputs);

}  // namespace portwright::emit

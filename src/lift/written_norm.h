#pragma once

#include <optional>

#include "lift/graph.h"

namespace portwright::lift {

/// A norm over the last axis that a forward writes out in operations:
/// x * rsqrt(mean(x^2) + eps), of x or of x minus its mean, and the weights
/// (dims,) that nothing but its answer is multiplied by.
struct WrittenNorm {
  ValueId x = 0;
  bool centred = false;          // a layer norm; else of the root mean square
  const OpNode* sum = nullptr;   // mean + eps
  size_t eps = 0;                // its argument that is the number
  ValueId weight = 0, bias = 0;  // 0 without

  const eval::Value& epsilon() const {
    return sum->args[eps];
  }
};

/// The norm whose answer a value is, in the forward of `graph`.
std::optional<WrittenNorm> written_norm(
    const Trace& trace,
    const Flows& flows,
    const Graph& graph,
    ValueId id);

}  // namespace portwright::lift

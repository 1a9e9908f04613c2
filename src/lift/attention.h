#pragma once

#include <optional>
#include <vector>

#include "eval/interpreter.h"
#include "lift/graph.h"

namespace portwright::lift {

/// softmax(cap(q k^T * scale) + mask) v, with grouped keys and values.
struct Attention {
  ValueId queries = 0;  // (B, H, L, D)
  ValueId keys = 0;     // (B, Hkv, S, D)
  ValueId values = 0;   // (B, Hkv, S, Dv)
  ValueId mask = 0;     // additive, or 0
  ValueId output = 0;   // (B, H, L, Dv)
  /// Factors on the scores; a divisor is marked.
  struct Factor {
    eval::Value value;
    bool divides;
  };
  std::vector<Factor> scale;
  eval::Value softcap;  // Undefined: none

  double scale_value() const;
};

/// Finds the attention of a module's forward by its shape, a softmax between
/// two matrix products, and accepts it when it equals the fused form on random
/// queries, keys, values and masks.
std::optional<Attention> lift_attention(
    eval::Interpreter& interp,
    const Trace& trace,
    const Flows& flows,
    const Graph& graph);

}  // namespace portwright::lift

#pragma once

#include <optional>
#include <string>

#include "eval/interpreter.h"
#include "lift/graph.h"

namespace portwright::lift {

/// Gated experts over fused weights, summed by routing weight:
///   sum_k w[n,k] * down[e] (act(gate[e] x[n]) * up[e] x[n]),  e = index[n,k].
struct Experts {
  ValueId input = 0;       // (N, H)
  ValueId indices = 0;     // (N, K), integers
  ValueId weights = 0;     // (N, K)
  std::string gate_up;     // parameter: (E, 2 I, H), the gates first
  std::string down;        // parameter: (E, H, I)
  std::string activation;  // "silu", "gelu", "gelu_approx"
  int experts = 0, hidden = 0, intermediate = 0;
};

/// Recognises a module by the shapes of its parameters and inputs, and by what
/// it computes on random ones.
std::optional<Experts> lift_experts(
    eval::Interpreter& interp,
    const Trace& trace,
    const Flows& flows,
    const Frame& frame);

}  // namespace portwright::lift

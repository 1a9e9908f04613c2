#pragma once

#include <optional>

#include "eval/interpreter.h"
#include "lift/graph.h"
#include "lift/recurrence.h"

namespace portwright::lift {

/// The gated delta rule over the tokens, for each head:
///   S' = exp(g) S;  S = S' + k (beta (v - S'^T k))^T;  y = S^T q,
/// where q and k may be made unit vectors before.
struct GatedDelta {
  ValueId queries = 0, keys = 0;  // (B, L, Hk, Dk)
  ValueId values = 0;             // (B, L, Hv, Dv)
  ValueId decay = 0;              // g: (B, L, Hv), or (B, L, Hv, Dk)
  ValueId beta = 0;               // (B, L, Hv)
  ValueId output = 0;             // (B, L, Hv, Dv)
  bool unit = false;              // q and k over sqrt(sum of squares + eps)
  double eps = 0;
  bool scaled = false;  // q over sqrt(Dk)

  /// Where g = -exp(a_log) softplus(a + dt_bias) and beta = sigmoid(b), or
  /// twice that; else 0.
  ValueId a = 0, a_log = 0, dt_bias = 0;
  ValueId b = 0;
  bool doubled = false;
};

/// Recognises a recurrence by what it computes on random inputs of several
/// lengths, with and without a state.
std::optional<GatedDelta> lift_gated_delta(
    eval::Interpreter& interp,
    const Trace& trace,
    const Flows& flows,
    const Graph& graph,
    const Recurrence& recurrence);

}  // namespace portwright::lift

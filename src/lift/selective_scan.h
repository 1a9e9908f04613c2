#pragma once

#include <optional>

#include "eval/interpreter.h"
#include "lift/graph.h"
#include "lift/recurrence.h"

namespace portwright::lift {

/// A state space with a decay of each channel's own, over the tokens:
///   d = softplus(dt + dt_bias);
///   S = exp(-exp(a_log) d) S + d x B^T;  y = (S C + D x) silu(z).
struct SelectiveScan {
  ValueId x = 0, dt = 0;       // (B, D, L)
  ValueId b = 0, c = 0;        // (B, N, L)
  ValueId gate = 0;            // z, (B, D, L)
  ValueId a_log = 0;           // parameter (D, N)
  ValueId d = 0, dt_bias = 0;  // parameters (D,)
  ValueId output = 0;          // (B, D, L)
};

/// Recognises a recurrence by what it computes on random inputs of several
/// lengths. The source's function may know no state to go on from: then the
/// one it hands on must be that of the definition.
std::optional<SelectiveScan> lift_selective_scan(
    eval::Interpreter& interp,
    const Trace& trace,
    const Flows& flows,
    const Recurrence& recurrence);

}  // namespace portwright::lift

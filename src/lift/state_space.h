#pragma once

#include <optional>

#include "eval/interpreter.h"
#include "lift/graph.h"
#include "lift/recurrence.h"

namespace portwright::lift {

/// A state space with one decay a head, over the tokens:
///   d = clip(softplus(dt + dt_bias), low, high);
///   S = exp(a d) S + d x B^T;  y = S C + D x,  a = -exp(a_log).
struct StateSpace {
  ValueId x = 0;         // (B, L, H, P)
  ValueId dt = 0;        // (B, L, H)
  ValueId b = 0, c = 0;  // (B, L, G, N)
  /// (H,), of parameters alone.
  ValueId a = 0, d = 0, dt_bias = 0;
  ValueId a_log = 0;   // the parameter, where `a` is its exponential's opposite
  ValueId output = 0;  // (B, L, H, P)
  /// The pair (low, high) among the arguments; Undefined: (0, inf).
  eval::Value limits;
};

/// Recognises a recurrence by what it computes on random inputs of several
/// lengths, with and without a state.
std::optional<StateSpace> lift_state_space(
    eval::Interpreter& interp,
    const Trace& trace,
    const Flows& flows,
    const Recurrence& recurrence);

}  // namespace portwright::lift

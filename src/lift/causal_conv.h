#pragma once

#include <optional>
#include <string>

#include "eval/interpreter.h"
#include "lift/graph.h"
#include "lift/recurrence.h"
#include "lift/step.h"

namespace portwright::lift {

/// Each channel convolved by itself with the inputs before it:
///   output[b,c,t] = act(bias[c] + sum_k weight[c,0,k] input[b,c,t-K+1+k]),
/// where the inputs before the first new one are kept in the cache.
struct CausalConv {
  ValueId input = 0;   // (B, C, L), the new ones
  ValueId output = 0;  // (B, C, L)
  ValueId weight = 0;  // parameter (C, 1, K)
  ValueId bias = 0;    // parameter (C,), or 0
  enum class Activation : uint8_t {
    None,
    Silu,
    Gelu,
    GeluTanh,
    Relu,
    Tanh,
    Sigmoid
  };
  Activation activation = Activation::None;
  int channels = 0, kernel = 0;
  /// The axes of the tokens: 1 where the channels are last.
  int input_axis = 2, output_axis = 2;
};

/// Recognises what is computed of the inputs that `update` answers with, by
/// its values on random ones.
std::optional<CausalConv> lift_causal_conv(
    eval::Interpreter& interp,
    const Trace& trace,
    const Flows& flows,
    const Graph& graph,
    const StateUpdate& update);

/// The same of a step with one state: the last inputs, (B, C, K - 1) or
/// (B, C, K).
std::optional<CausalConv> lift_causal_conv(
    eval::Interpreter& interp,
    const Trace& trace,
    const Step& step);

}  // namespace portwright::lift

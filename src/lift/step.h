#pragma once

#include <optional>
#include <vector>

#include "eval/interpreter.h"
#include "lift/graph.h"

namespace portwright::lift {

/// What carries states from token to token in a module's forward, as the
/// forward of one token has it: the definition of a recurrence that may be
/// written in any way for more of them.
///   (inputs of the token, states) -> (outputs of the token, next states)
struct Step {
  /// A value of the forward of several tokens, and of that of one.
  struct Part {
    ValueId whole = 0, token = 0;
    int axis = 0;  // of the tokens
  };
  struct State {
    ValueId before = 0, after = 0;
    size_t update = 0;  // which of the module's
  };
  std::vector<Part> inputs, outputs;
  std::vector<State> states;
};

/// A module's forward of one token stands in its forward of several as a call
/// of this function; its `outputs` are what it was given, the states of the
/// module's updates first (0 where none was read), its `inputs` what it made.
eval::Ref<eval::Function> step_function(eval::Interpreter& interp);
bool is_step(const Frame& frame);

/// True for a store that leaves nothing of what it writes into, as that of one
/// token does, x[:, 0] = y.
bool fills(const Trace& trace, const OpNode& store);

/// The step that makes the states of these updates; nothing where it cannot be
/// cut out of the module's forward. `length` is the number of tokens recorded.
std::optional<Step> find_step(
    const Trace& trace,
    const Flows& flows,
    const Graph& graph,
    const std::vector<size_t>& updates,
    int64_t length);

}  // namespace portwright::lift

#pragma once

#include <functional>
#include <optional>
#include <vector>

#include "eval/interpreter.h"
#include "lift/graph.h"

namespace portwright::lift {

namespace mx = mlx::core;

/// A call of the cache that keeps a state of a recurrent layer.
struct StateUpdate {
  const Frame* call = nullptr;
  /// The last inputs of a convolution; else what a recurrence carries on.
  bool convolution = false;
  ValueId written = 0;  // the new inputs, (B, C, L), or the new state
  ValueId answer = 0;   // kept and new inputs, (B, C, K + L), or the state
};

/// The calls in a module's forward, in order.
std::vector<StateUpdate> find_state_updates(const Graph& graph);

/// A function of the source that carries a state on:
///   (inputs, state) -> (output, next state).
/// It is one function of its arguments whatever branch was recorded, so it can
/// be called anew for any length, with and without a state.
struct Recurrence {
  const Frame* call = nullptr;
  static constexpr size_t kNone = SIZE_MAX;
  size_t state = kNone;  // which of the call's inputs; none: it starts anew
  ValueId output = 0;    // (B, L, ...)
  ValueId next = 0;      // the state it hands on

  struct Answer {
    mx::array output, state;
  };
  /// Calls the function with `inputs` for the tensors of its arguments, in
  /// their order; without a state it gets None. Nothing when it raises.
  std::optional<Answer> operator()(
      eval::Interpreter& interp,
      const std::vector<mx::array>& inputs,
      bool with_state) const;

  /// What a definition makes of the same inputs, from a state or from none.
  using Law = std::function<Answer(const std::optional<mx::array>& state)>;
  /// True when the function answers as `law` says for `inputs`.
  bool follows(
      eval::Interpreter& interp,
      const std::vector<mx::array>& inputs,
      bool with_state,
      const Law& law) const;
};

/// The t-th of the tokens along `axis`, which is left out.
mx::array token(const mx::array& x, int t, int axis = 1);

/// What decides which function of its tensors a call is: the source's function
/// (kept alive) and its other arguments, with the sizes of the tensors past
/// batch and length. Layers and drafts of a model share most of theirs.
using RecurrenceKey =
    std::pair<std::shared_ptr<const eval::FunctionCode>, std::string>;
RecurrenceKey key_of(
    eval::Interpreter& interp,
    const Trace& trace,
    const Recurrence& recurrence);

/// The call that makes what `update` keeps from what was kept before; nothing
/// when no function does.
std::optional<Recurrence> find_recurrence(
    const Trace& trace,
    const Graph& graph,
    const StateUpdate& update);

/// Looks through what does not change a value: conversions and copies.
ValueId unconverted(const Graph& graph, ValueId id);

}  // namespace portwright::lift

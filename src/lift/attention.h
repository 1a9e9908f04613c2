#pragma once

#include <vector>

#include "eval/interpreter.h"
#include "lift/graph.h"
#include "trace/twin.h"

namespace portwright::lift {

/// softmax(cap(q k^T * scale) + bias) v, with grouped keys and values.
struct Attention {
  ValueId queries = 0;          // (B, H, L, D)
  ValueId keys = 0;             // (B, Hkv, S, D)
  ValueId values = 0;           // (B, Hkv, S, Dv)
  std::vector<ValueId> biases;  // added to the scores: the mask, and others
  ValueId sinks = 0;            // (H,), logits that attend to nothing; or 0
  ValueId output = 0;           // (B, H, L, Dv)
  /// Factors on the scores; a divisor is marked.
  struct Factor {
    eval::Value value;
    bool divides;
  };
  std::vector<Factor> scale;
  int64_t depth = 0;    // where not 0, over its root too: channels of a head
  eval::Value softcap;  // Undefined: none

  double scale_value() const;
};

/// Finds the attentions of a module's forward by their shape, a softmax
/// between two matrix products, and accepts those that equal the fused form on
/// random queries, keys, values and biases, in bfloat16 too where `half` shows
/// them. What is not found stands as its operations.
std::vector<Attention> lift_attentions(
    eval::Interpreter& interp,
    const Trace& trace,
    const Flows& flows,
    const Graph& graph,
    const trace::Twin* half = nullptr);

/// A call of the cache: keys and values before and after. An index keeps keys
/// alone, (B, L, D).
struct CacheUpdate {
  ValueId keys = 0, values = 0;
  ValueId all_keys = 0, all_values = 0;
};

/// The calls in a module's forward, in order.
std::vector<CacheUpdate> find_cache_updates(const Graph& graph);

/// The whole output of a mask function that `id` is, looked at through what
/// does not change it: a slice of all its keys, a conversion of its dtype. 0
/// when it is something else.
ValueId whole_mask(const Trace& trace, const Flows& flows, ValueId id);

/// The same where `id`, (B, L, S), is that without its axis of heads.
ValueId mask_without_heads(const Trace& trace, const Flows& flows, ValueId id);

/// The output of a mask function that `id` was made from by operations on it
/// alone, as its inverse; 0 when it is something else.
ValueId mask_origin(const Trace& trace, const Flows& flows, ValueId id);

}  // namespace portwright::lift

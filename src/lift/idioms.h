#pragma once

#include <map>
#include <vector>

#include "lift/attention.h"
#include "lift/key_bias.h"
#include "lift/rope.h"

namespace portwright::lift {

/// What the forward of a module that attends is made of besides operations.
struct Idioms {
  std::vector<CacheUpdate> updates;
  std::vector<Attention> attentions;
  std::map<ValueId, Rope> ropes;          // by output
  std::map<ValueId, KeyBias> key_biases;  // by output
  /// Those rotations nearest to the queries, and to the keys and values.
  std::vector<Rope> queries, keys;

  /// The update that answers a value; null when none does.
  const CacheUpdate* update_of(ValueId id) const;
};

/// `half` is the same forward in bfloat16, or null.
Idioms find_idioms(
    eval::Interpreter& interp,
    const Trace& trace,
    const Flows& flows,
    const Graph& graph,
    ValueId positions,
    const trace::Twin* half = nullptr);

/// What a value is computed from within the forward, seen through no update of
/// the cache.
std::vector<ValueId>
inputs_of(const Idioms& idioms, const Graph& graph, ValueId id);

}  // namespace portwright::lift

#include "lift/idioms.h"

#include <algorithm>
#include <set>

namespace portwright::lift {

namespace {

class IdiomSearch {
 public:
  IdiomSearch(
      eval::Interpreter& interp,
      const Trace& trace,
      const Flows& flows,
      const Graph& graph,
      ValueId positions,
      const trace::Twin* half)
      : interp_(interp),
        trace_(trace),
        flows_(flows),
        graph_(graph),
        positions_(positions),
        half_(half) {}

  Idioms run() {
    found_.updates = find_cache_updates(graph_);
    found_.attentions = lift_attentions(interp_, trace_, flows_, graph_, half_);
    for (const auto& u : found_.updates) {
      find_ropes(u.keys, found_.keys);
      if (u.values) {
        find_ropes(u.values, found_.keys);
      }
    }
    for (const auto& a : found_.attentions) {
      find_ropes(a.queries, found_.queries);
      find_ropes(a.keys, found_.keys);
    }
    for (const OpNode* op : graph_.ops) {
      const std::string_view name = op->op->name;
      const bool adds = name == "baddbmm";  // to what it is given first
      if ((name == "matmul" || name == "bmm" || name == "einsum" || adds) &&
          !is_attended(op->inputs[adds])) {  // scores written out
        find_ropes(op->inputs[adds], found_.queries);
      }
      if (name == "add" || name == "baddbmm") {
        find_key_bias(*op);
      }
    }
    return std::move(found_);
  }

 private:
  /// True for the queries of an attention that was found, scaled perhaps.
  bool is_attended(ValueId id) const {
    constexpr int kSteps = 4;
    for (int step = 0; step < kSteps; ++step) {
      for (const Attention& a : found_.attentions) {
        if (a.queries == id) {
          return true;
        }
      }
      const auto it = graph_.producers.find(id);
      if (it == graph_.producers.end() || !it->second.op ||
          it->second.op->inputs.empty()) {
        return false;
      }
      id = it->second.op->inputs[0];
    }
    return false;
  }

  /// True when positions have a part in the value, within this forward.
  bool turned(ValueId id) {
    if (auto it = turned_.find(id); it != turned_.end()) {
      return it->second;
    }
    turned_[id] = false;
    bool answer = false;
    for (ValueId input : inputs_of(found_, graph_, id)) {
      const Flow flow = flows_.of(input);
      answer = answer || flow == Flow::Position ||
               (flow == Flow::Data && turned(input));
    }
    return turned_[id] = answer;
  }

  /// What multiplies a value by a number, as a scale of scores.
  const OpNode* factor(ValueId id) const {
    const auto it = graph_.producers.find(id);
    const OpNode* op = it == graph_.producers.end() ? nullptr : it->second.op;
    return op && (op->op->name == "mul" || op->op->name == "div") &&
                   op->inputs.size() == 1 && torch::as_tensor(op->args[0])
               ? op
               : nullptr;
  }

  /// The same at all lengths, from the first channel on.
  static bool is_whole(const Rope& rope) {
    return rope.steady && turns_first(rope);
  }
  static bool turns_first(const Rope& rope) {
    return rope.rotation.frequencies.front() != 0;
  }

  /// The rotations that are nearest to the value.
  void find_ropes(ValueId id, std::vector<Rope>& side) {
    if (flows_.of(id) != Flow::Data || !turned(id)) {
      return;
    }
    if (auto known = found_.ropes.find(id); known != found_.ropes.end()) {
      side.push_back(known->second);
      return;
    }
    if (!visited_.insert(id).second) {
      return;
    }
    if (const OpNode* op = factor(id)) {
      find_ropes(op->inputs[0], side);
      return;
    }
    if (auto rope =
            lift_rope(interp_, trace_, flows_, graph_, positions_, id, half_)) {
      // A rotation may lie further in, below a factor by position or beside
      // channels that do not turn.
      const size_t known = side.size();
      if (!is_whole(*rope)) {
        const auto before = found_.ropes;
        find_in_inputs(id, side);
        // One that depends on the length does so without them, too.
        const auto turns_more = [&](const Rope& inner) {
          return is_whole(inner) ||
                 (!rope->steady && !turns_first(*rope) && turns_first(inner));
        };
        if (std::none_of(side.begin() + known, side.end(), turns_more)) {
          side.resize(known, *rope);  // as little, of fewer channels
          found_.ropes = before;
        }
      }
      if (side.size() == known) {
        found_.ropes.emplace(id, *rope);
        side.push_back(*rope);
      }
      return;
    }
    find_in_inputs(id, side);
  }

  /// What is added to scores.
  void find_key_bias(const OpNode& op) {
    for (ValueId id : op.inputs) {
      if (auto bias = lift_key_bias(interp_, trace_, flows_, id)) {
        found_.key_biases.emplace(id, *bias);
      }
    }
  }

  void find_in_inputs(ValueId id, std::vector<Rope>& side) {
    for (ValueId input : inputs_of(found_, graph_, id)) {
      find_ropes(input, side);
    }
  }

  eval::Interpreter& interp_;
  const Trace& trace_;
  const Flows& flows_;
  const Graph& graph_;
  ValueId positions_;
  const trace::Twin* half_;
  Idioms found_;
  std::map<ValueId, bool> turned_;
  std::set<ValueId> visited_;
};

}  // namespace

const CacheUpdate* Idioms::update_of(ValueId id) const {
  for (const CacheUpdate& u : updates) {
    if (u.all_keys == id || u.all_values == id) {
      return &u;
    }
  }
  return nullptr;
}

Idioms find_idioms(
    eval::Interpreter& interp,
    const Trace& trace,
    const Flows& flows,
    const Graph& graph,
    ValueId positions,
    const trace::Twin* half) {
  return IdiomSearch(interp, trace, flows, graph, positions, half).run();
}

std::vector<ValueId>
inputs_of(const Idioms& idioms, const Graph& graph, ValueId id) {
  const auto it = graph.producers.find(id);
  if (idioms.update_of(id) || it == graph.producers.end()) {
    return {};
  }
  return it->second.op ? it->second.op->inputs : it->second.call->inputs;
}

}  // namespace portwright::lift

#include "lift/step.h"

#include <map>
#include <set>
#include <tuple>

#include "eval/code.h"
#include "lift/recurrence.h"

namespace portwright::lift {

namespace {

/// Operations and calls of two forwards that stand at the same place of the
/// source and ran as often.
class Matching {
 public:
  Matching(const Trace& trace, int64_t length)
      : trace_(trace), length_(length) {}

  /// What stands at a place answers the same, and is given the same: that may
  /// be made in another way of one token.
  void match(const Graph& whole, const Graph& token) {
    const auto outputs = [](const auto* node) { return node->outputs; };
    const auto inputs = [](const auto* node) { return node->inputs; };
    match(whole, token, outputs);
    match(whole, token, inputs);
  }

  void add(
      const std::vector<ValueId>& whole,
      const std::vector<ValueId>& token) {
    for (size_t i = 0; whole.size() == token.size() && i < whole.size(); ++i) {
      if (const auto axis = axis_of_tokens(whole[i], token[i])) {
        parts_.try_emplace(token[i], Step::Part{whole[i], token[i], *axis});
        tokens_.try_emplace(whole[i], token[i]);
      }
    }
  }

  const Step::Part* of_token(ValueId id) const {
    const auto it = parts_.find(id);
    return it == parts_.end() ? nullptr : &it->second;
  }
  const Step::Part* of_whole(ValueId id) const {
    const auto it = tokens_.find(id);
    return it == tokens_.end() ? nullptr : of_token(it->second);
  }

 private:
  template <typename Values>
  void match(const Graph& whole, const Graph& token, const Values& values) {
    const auto place_of_op = [](const OpNode* op) {
      return std::tuple(op->span.file, op->span.begin, op->span.end, op->op);
    };
    const auto place_of_call = [](const Frame* f) {
      return std::tuple(
          f->call.file, f->call.begin, f->call.end, f->function->code.get());
    };
    by_place(whole.ops, token.ops, place_of_op, values);
    by_place(whole.functions, token.functions, place_of_call, values);
    by_place(whole.calls, token.calls, place_of_call, values);
  }

  template <typename Node, typename Key, typename Values>
  void by_place(
      const std::vector<const Node*>& whole,
      const std::vector<const Node*>& token,
      const Key& key,
      const Values& values) {
    std::map<
        decltype(key(whole[0])),
        std::pair<std::vector<const Node*>, std::vector<const Node*>>>
        places;
    for (const Node* n : whole) {
      places[key(n)].first.push_back(n);
    }
    for (const Node* n : token) {
      places[key(n)].second.push_back(n);
    }
    for (const auto& [place, both] : places) {
      for (size_t i = 0;
           both.first.size() == both.second.size() && i < both.first.size();
           ++i) {
        add(values(both.first[i]), values(both.second[i]));
      }
    }
  }

  /// The one axis in which a value of several tokens is longer.
  std::optional<int> axis_of_tokens(ValueId whole, ValueId token) const {
    const auto &a = trace_.info(whole).shape, &b = trace_.info(token).shape;
    std::optional<int> out;
    for (size_t i = 0; i < a.size(); ++i) {
      if (a.size() != b.size() ||
          (a[i] != b[i] && (out || a[i] != length_ || b[i] != 1))) {
        return {};
      }
      if (a[i] != b[i]) {
        out = static_cast<int>(i);
      }
    }
    return out;
  }

  const Trace& trace_;
  int64_t length_;
  std::map<ValueId, Step::Part> parts_;
  std::map<ValueId, ValueId> tokens_;
};

/// What follows from some values.
class Dependents {
 public:
  Dependents(const Graph& graph, const std::set<ValueId>& from)
      : graph_(graph) {
    for (ValueId id : from) {
      known_[id] = true;
    }
  }
  bool operator()(ValueId id) {
    const auto [it, fresh] = known_.try_emplace(id, false);
    if (!fresh) {
      return it->second;
    }
    bool any = false;
    for (ValueId input : inputs(id)) {
      any = (*this)(input) || any;
    }
    return known_[id] = any;
  }
  const std::vector<ValueId>& inputs(ValueId id) const {
    static const std::vector<ValueId> kNone;
    const auto it = graph_.producers.find(id);
    return it == graph_.producers.end() ? kNone
           : it->second.op              ? it->second.op->inputs
                                        : it->second.call->inputs;
  }

 private:
  const Graph& graph_;
  std::map<ValueId, bool> known_;
};

class Search {
 public:
  Search(
      const Trace& trace,
      const Flows& flows,
      const Graph& whole,
      const Graph& token,
      const Matching& matching,
      Step step)
      : trace_(trace),
        flows_(flows),
        matching_(matching),
        in_token_(token, before(step)),
        in_whole_(whole, {}),
        step_(std::move(step)) {}

  /// `outputs` of the forward of several tokens, `answers` of that of one.
  std::optional<Step> run(
      const std::vector<ValueId>& outputs,
      const std::vector<ValueId>& answers) {
    for (ValueId id : outputs) {
      if (flows_.of(id) == Flow::Data && find_cuts(id) == Found::Nowhere) {
        return {};
      }
    }
    std::set<ValueId> seen;
    for (ValueId id : outputs) {
      take_outputs(id, seen);
    }
    // What has no tokens, as the states themselves, is no answer of the layer.
    bool known = std::none_of(answers.begin(), answers.end(), [&](ValueId id) {
      return matching_.of_token(id) && reads_states(id);
    });
    for (const auto& part : step_.outputs) {
      known = known && find_inputs(part.token);
    }
    for (const auto& state : step_.states) {
      known = known && find_inputs(state.after);
    }
    return known && !step_.outputs.empty() ? std::optional(step_)
                                           : std::nullopt;
  }

 private:
  /// Whether what a value has of the states comes through matched ones.
  enum class Found : uint8_t { NotNeeded, Cut, Nowhere };

  static std::set<ValueId> before(const Step& step) {
    std::set<ValueId> out;
    for (const auto& state : step.states) {
      out.insert(state.before);
    }
    return out;
  }

  /// The first matched values that follow from the states.
  Found find_cuts(ValueId id) {
    const auto [it, fresh] = found_.try_emplace(id, Found::NotNeeded);
    if (!fresh) {
      return it->second;
    }
    bool below = false, nowhere = false;
    for (ValueId input : in_whole_.inputs(id)) {
      const Found found = find_cuts(input);
      below = below || found == Found::Cut;
      nowhere = nowhere || found == Found::Nowhere;
    }
    const Step::Part* part = matching_.of_whole(id);
    Found out = nowhere ? Found::Nowhere
                : below ? Found::Cut
                        : Found::NotNeeded;
    if (part && in_token_(part->token) && out != Found::Cut) {
      cuts_.insert(id);
      out = Found::Cut;
    }
    return found_[id] = out;
  }

  void take_outputs(ValueId id, std::set<ValueId>& seen) {
    const auto it = found_.find(id);
    if (it == found_.end() || it->second != Found::Cut ||
        !seen.insert(id).second) {
      return;
    }
    if (cuts_.contains(id)) {
      step_.outputs.push_back(*matching_.of_whole(id));
      return;
    }
    for (ValueId input : in_whole_.inputs(id)) {
      take_outputs(input, seen);
    }
  }

  /// True for a value of the one token that needs the states for more than the
  /// step's outputs.
  bool reads_states(ValueId id) {
    const auto is_output = [&](const auto& part) { return part.token == id; };
    const auto is_state = [&](const auto& s) { return s.before == id; };
    if (!passed_.insert(id).second ||
        std::any_of(step_.outputs.begin(), step_.outputs.end(), is_output)) {
      return false;
    }
    const auto& inputs = in_token_.inputs(id);
    return std::any_of(step_.states.begin(), step_.states.end(), is_state) ||
           std::any_of(inputs.begin(), inputs.end(), [&](ValueId input) {
             return reads_states(input);
           });
  }

  /// What a value of the one token is computed from.
  bool find_inputs(ValueId id) {
    if (!seen_.insert(id).second) {
      return true;
    }
    const bool is_state = std::any_of(
        step_.states.begin(), step_.states.end(), [&](const auto& s) {
          return s.before == id;
        });
    if (is_state) {
      return true;
    }
    const Step::Part* part = matching_.of_token(id);
    const Flow flow = part ? flows_.of(part->whole) : Flow::Constant;
    if (part && !in_token_(id) &&
        (flow == Flow::Data || flow == Flow::Position)) {
      step_.inputs.push_back(*part);
      return true;
    }
    auto inputs = in_token_.inputs(id);
    if (const OpNode* op = trace_.info(id).producer; op && fills(trace_, *op)) {
      inputs = {op->inputs[1]};
    }
    if (inputs.empty()) {
      return flows_.of(id) <= Flow::Parameter &&
             (trace_.info(id).producer || !trace_.info(id).parameter.empty());
    }
    return std::all_of(inputs.begin(), inputs.end(), [&](ValueId input) {
      return find_inputs(input);
    });
  }

  const Trace& trace_;
  const Flows& flows_;
  const Matching& matching_;
  Dependents in_token_, in_whole_;
  Step step_;
  std::map<ValueId, Found> found_;
  std::set<ValueId> cuts_, seen_, passed_;
};

/// The forward without that of one token in it.
Graph without(const Graph& graph, const Graph& step, const Frame* call) {
  Graph out = graph;
  const auto drop = [](auto& from, const auto& what) {
    const std::set gone(what.begin(), what.end());
    std::erase_if(from, [&](const auto* x) { return gone.contains(x); });
  };
  drop(out.ops, step.ops);
  drop(out.calls, step.calls);
  drop(out.functions, step.functions);
  std::erase(out.functions, call);
  return out;
}

bool makes(const Frame& frame, ValueId id) {
  return std::any_of(
      frame.items.begin(), frame.items.end(), [&](const auto& item) {
        if (const auto* op = std::get_if<OpNode>(&item)) {
          return std::find(op->outputs.begin(), op->outputs.end(), id) !=
                 op->outputs.end();
        }
        const auto* child = std::get_if<std::unique_ptr<Frame>>(&item);
        return child && makes(**child, id);
      });
}

/// The cache keeps as many of the last inputs as it is given at once: nothing
/// of the older ones stays.
ValueId
newest(const Trace& trace, const Graph& token, const Step::State& state) {
  for (const Frame* f : token.functions) {
    if (is_state_update(*f) && !f->inputs.empty() && makes(*f, state.after) &&
        trace.info(f->inputs[0]).shape == trace.info(state.after).shape) {
      return f->inputs[0];
    }
  }
  return state.after;
}

}  // namespace

eval::Ref<eval::Function> step_function(eval::Interpreter& interp) {
  const eval::Value module(interp.import_module("portwright.running"));
  return eval::Ref<eval::Function>(
      interp.getattr(module, "one_token").get<eval::Function>());
}

bool is_step(const Frame& frame) {
  return frame.function && !frame.is_module() &&
         frame.module_name() == "portwright.running" &&
         frame.function->name == "one_token";
}

bool fills(const Trace& trace, const OpNode& store) {
  if (store.op->name != "setitem_" || store.inputs.size() != 2) {
    return false;
  }
  const auto& shape = trace.info(store.outputs[0]).shape;
  const eval::Value& index = store.args[1];
  const auto items = index.is(eval::Kind::Tuple)
                         ? index.get<eval::Tuple>()->items
                         : std::vector<eval::Value>{index};
  torch::Sizes rest;
  for (size_t i = 0; i < shape.size(); ++i) {
    const eval::Value item = i < items.size() ? items[i] : eval::Value();
    if (item.defined() && item.is_int() && shape[i] == 1) {
      continue;
    }
    const auto* s =
        item.is(eval::Kind::Slice) ? item.get<eval::Slice>() : nullptr;
    if (item.defined() &&
        !(s && s->lower.is_none() && s->upper.is_none() && s->step.is_none())) {
      return false;
    }
    rest.push_back(shape[i]);
  }
  return items.size() <= shape.size() && rest.size() < shape.size() &&
         trace.info(store.inputs[1]).shape == rest;
}

std::optional<Step> find_step(
    const Trace& trace,
    const Flows& flows,
    const Graph& graph,
    const std::vector<size_t>& updates,
    int64_t length) {
  const auto it = std::find_if(
      graph.functions.begin(), graph.functions.end(), [](const Frame* f) {
        return is_step(*f);
      });
  if (it == graph.functions.end()) {
    return {};
  }
  const Frame& call = **it;
  const size_t count = find_state_updates(graph).size();
  Step step;
  for (size_t update : updates) {
    step.states.push_back({call.outputs[update], call.inputs[update], update});
    if (!step.states.back().before || !step.states.back().after) {
      return {};
    }
  }
  const Graph token = make_graph(trace, call);
  for (auto& state : step.states) {
    state.after = newest(trace, token, state);
  }
  const Graph whole = without(graph, token, &call);
  const auto past_states = [&](const std::vector<ValueId>& ids) {
    return std::vector<ValueId>(ids.begin() + count, ids.end());
  };
  Matching matching(trace, length);
  matching.add(graph.frame->inputs, past_states(call.outputs));
  matching.match(whole, token);
  const auto answers = past_states(call.inputs);
  matching.add(graph.frame->outputs, answers);
  return Search(trace, flows, whole, token, matching, std::move(step))
      .run(graph.frame->outputs, answers);
}

}  // namespace portwright::lift

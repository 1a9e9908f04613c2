#include "emit/layer_states.h"

#include <functional>
#include <optional>
#include <span>

#include "emit/model_writer.h"

namespace portwright::emit {

using eval::Value;
using Change = KeptStates::Change;

namespace {

/// Calls `visit` for every call in the trace, the root first.
void for_each_call(Frame& frame, const std::function<void(Frame&)>& visit) {
  visit(frame);
  for (auto& item : frame.items) {
    if (auto* child = std::get_if<std::unique_ptr<Frame>>(&item)) {
      for_each_call(**child, visit);
    }
  }
}

using Read = std::pair<const Frame*, const OpNode*>;

/// The operations that read each value, with the calls they stand in.
std::map<ValueId, std::vector<Read>> find_reads(const Trace& trace) {
  std::map<ValueId, std::vector<Read>> out;
  for_each_call(const_cast<Frame&>(trace.root), [&](Frame& frame) {
    for (const auto& item : frame.items) {
      if (const auto* op = std::get_if<OpNode>(&item)) {
        for (ValueId id : op->inputs) {
          out[id].emplace_back(&frame, op);
        }
      }
    }
  });
  return out;
}

/// x[:, :, index] of one layer.
struct LayerSlot {
  size_t axis;
  int64_t index;
  bool operator==(const LayerSlot&) const = default;
};

std::optional<LayerSlot> layer_slot_of(const OpNode& op, size_t rank) {
  const Value& at = op.args[static_cast<size_t>(op.op->param("index"))];
  const std::vector<Value> items = at.is(eval::Kind::Tuple)
                                       ? at.get<eval::Tuple>()->items
                                       : std::vector<Value>{at};
  std::optional<LayerSlot> out;
  for (size_t i = 0; i < items.size(); ++i) {
    const Value& item = items[i];
    if (item.tag() == eval::Tag::Ellipsis && !out) {
      continue;
    }
    if (item.is(eval::Kind::Slice)) {
      const auto* s = item.get<eval::Slice>();
      if (s->lower.is_none() && s->upper.is_none() && s->step.is_none()) {
        continue;
      }
    }
    if (out || !item.is_int() || item.as_int() < 0) {
      return {};
    }
    const bool from_end =
        std::any_of(items.begin(), items.begin() + i, [](const Value& before) {
          return before.tag() == eval::Tag::Ellipsis;
        });
    out = {from_end ? rank - (items.size() - i) : i, item.as_int()};
  }
  return out;
}

/// What a caller does with one tensor in which it keeps states of layers.
struct Kept {
  std::vector<Change> states;   // of layers
  std::set<const OpNode*> ops;  // the caller's, for that alone
  std::set<ValueId> whole;      // what the tensor is before and after each
};

class StateFinder {
 public:
  /// `first`: what is kept may be made in the forward itself.
  explicit StateFinder(const Trace& trace, bool first = false)
      : trace_(trace), first_(first), reads_(find_reads(trace)) {}

  std::optional<Kept> find(Change change) const {
    std::vector<const OpNode*> writes;  // the last one first
    ValueId id = change.after;
    for (const OpNode* op = writer(id); op; op = writer(id)) {
      writes.push_back(op);
      id = op->inputs[0];
    }
    const bool whole = id && (first_ || id == change.before);
    if (!change.own || !whole || writes.empty()) {
      return {};
    }
    change.before = id;
    auto out = writes[0]->op->name == "copy_" ? copied(change, writes)
                                              : sliced(change, writes);
    const bool all =
        out &&
        std::all_of(
            out->states.begin(), out->states.end(), [&](const Change& state) {
              return is_of_layer(state, *out);
            });
    return all ? out : std::nullopt;
  }

  Frame* keeper(const Change& state) const {
    const Frame* f = module_around(trace_.info(state.after).frame);
    const auto fits = [&](const Frame& module) {
      const auto it = reads_.find(state.before);
      return lift::has_parameters(trace_, module.path) &&
             (it == reads_.end() ||
              std::all_of(
                  it->second.begin(), it->second.end(), [&](const Read& read) {
                    const OpNode& op = *read.second;
                    return (op.op->in_place && op.inputs[0] == state.before) ||
                           stands_in(read.first, module);
                  }));
    };
    while (f && !fits(*f)) {
      f = module_around(f->parent);
    }
    return const_cast<Frame*>(f);
  }

 private:
  /// The operation that wrote into a tensor to make a value.
  const OpNode* writer(ValueId id) const {
    const OpNode* op = trace_.info(id).producer;
    return op && (op->op->name == "copy_" || op->op->name == "setitem_")
               ? op
               : nullptr;
  }

  const torch::Sizes& shape(ValueId id) const {
    return trace_.info(id).shape;
  }

  /// cache.copy_(state)
  std::optional<Kept> copied(
      const Change& change,
      const std::vector<const OpNode*>& writes) const {
    const ValueId made = writes[0]->inputs[1];
    if (writes.size() != 1 || shape(made) != shape(change.before) ||
        reads_.contains(change.after)) {
      return {};
    }
    Kept out{{change}, {writes[0]}, {change.after}};
    out.states[0].after = made;
    const Frame* f = keeper(out.states[0]);
    return f && !stands_in(trace_.info(change.after).frame, *f)
               ? std::optional(out)
               : std::nullopt;
  }

  /// cache[:, :, i] = state
  std::optional<Kept> sliced(
      const Change& change,
      const std::vector<const OpNode*>& writes) const {
    const size_t rank = shape(change.after).size();
    Kept out;
    out.ops.insert(writes.begin(), writes.end());
    out.whole.insert(change.before);
    std::map<int64_t, Change> states;  // by index
    std::optional<size_t> axis;
    for (auto it = writes.rbegin(); it != writes.rend(); ++it) {
      const auto slot = layer_slot_of(**it, rank);
      if (!slot || slot->axis != axis.value_or(slot->axis) ||
          !add_reads(out, states, (*it)->inputs[0], slot->axis)) {
        return {};
      }
      axis = slot->axis;
      Change& state = states[slot->index];
      if (state.after) {
        return {};
      }
      state.after = (*it)->inputs[1];
      out.whole.insert((*it)->outputs[0]);
    }
    if (!add_reads(out, states, change.after, *axis)) {
      return {};
    }
    for (auto& [index, state] : states) {
      const auto wanted = torch::Sizes(shape(state.after));
      auto full = shape(change.after);
      full.erase(full.begin() + static_cast<std::ptrdiff_t>(*axis));
      if (!state.after || wanted != full) {
        return {};
      }
      state.place = change.place + "[" + std::to_string(index) + "]";
      state.own = true;
      out.states.push_back(state);
    }
    return out;
  }

  /// What layers read of the tensor, before they write it.
  bool add_reads(
      Kept& out,
      std::map<int64_t, Change>& states,
      ValueId whole,
      size_t axis) const {
    const auto it = reads_.find(whole);
    for (const auto& [frame, op] :
         it == reads_.end() ? std::vector<Read>{} : it->second) {
      if (out.ops.contains(op)) {
        continue;
      }
      const auto slot = op->op->name == "getitem"
                            ? layer_slot_of(*op, shape(whole).size())
                            : std::nullopt;
      if (!slot || slot->axis != axis) {
        return false;
      }
      Change& state = states[slot->index];
      if (state.before || state.after) {
        return false;
      }
      state.before = op->outputs[0];
      out.ops.insert(op);
    }
    return true;
  }

  /// True when a module keeps it whose caller did the rest, and nothing else
  /// reads what it makes.
  bool is_of_layer(const Change& state, const Kept& kept) const {
    const Frame* f = keeper(state);
    if (!f || !f->parent || !module_around(f->parent)) {
      return false;
    }
    const auto it = reads_.find(state.after);
    return it == reads_.end() ||
           std::all_of(
               it->second.begin(), it->second.end(), [&](const Read& read) {
                 return kept.ops.contains(read.second) ||
                        stands_in(read.first, *f);
               });
  }

  const Trace& trace_;
  bool first_;
  std::map<ValueId, std::vector<Read>> reads_;
};

/// The value with None for the tensors that are gone; `next` counts them.
Value without(
    eval::Interpreter& interp,
    const Value& value,
    const std::vector<bool>& gone,
    size_t& next) {
  const auto all = [&](const std::vector<Value>& items) {
    std::vector<Value> out;
    for (const Value& item : items) {
      out.push_back(without(interp, item, gone, next));
    }
    return out;
  };
  if (torch::as_tensor(value)) {
    return gone[next++] ? Value::none() : value;
  }
  if (value.is(eval::Kind::Tuple)) {
    return eval::tuple(all(value.get<eval::Tuple>()->items));
  }
  if (value.is(eval::Kind::List)) {
    return eval::list(all(value.get<eval::List>()->items));
  }
  if (value.is(eval::Kind::Dict)) {
    auto out = eval::dict();
    for (const auto& e : value.get<eval::Dict>()->entries()) {
      if (e.key.defined()) {
        out->set(interp, e.key, without(interp, e.value, gone, next));
      }
    }
    return Value(out);
  }
  next += trace::tensors_in(value).size();
  return value;
}

/// Takes values out of what a call was given or answered.
void take_out(
    eval::Interpreter& interp,
    std::span<Value> from,
    std::vector<ValueId>& ids,
    const std::set<ValueId>& values) {
  std::vector<bool> gone;
  for (ValueId id : ids) {
    gone.push_back(values.contains(id));
  }
  if (std::find(gone.begin(), gone.end(), true) == gone.end()) {
    return;
  }
  size_t next = 0;
  for (Value& value : from) {
    value = without(interp, value, gone, next);
  }
  std::erase_if(ids, [&](ValueId id) { return values.contains(id); });
}

}  // namespace

bool stands_in(const Frame* frame, const Frame& outer) {
  while (frame && frame != &outer) {
    frame = frame->parent;
  }
  return frame;
}

void take_out(
    eval::Interpreter& interp,
    Frame& frame,
    const std::set<ValueId>& values) {
  std::span<Value> args(frame.args);
  if (frame.is_module() && !args.empty()) {
    args = args.subspan(1);  // the module itself
  }
  take_out(interp, args, frame.inputs, values);
  take_out(interp, {&frame.result, 1}, frame.outputs, values);
}

Frame* keeper_of(const Trace& trace, const Change& change) {
  return StateFinder(trace).keeper(change);
}

std::vector<Change> give_to_layers(
    eval::Interpreter& interp,
    Trace& trace,
    const std::vector<Change>& changes,
    ValueId ids) {
  const StateFinder finder(trace);
  const lift::Flows flows(trace, ids, 0, 0);
  std::vector<Change> out;
  std::set<const OpNode*> ops;
  std::set<ValueId> whole;
  std::map<Frame*, std::set<ValueId>> states;  // by the call around a keeper
  for (const Change& change : changes) {
    const auto kept = finder.find(change);
    const auto is_data = [&](const Change& state) {
      return !ids || flows.of(state.after) == lift::Flow::Data;
    };
    if (!kept ||
        !std::all_of(kept->states.begin(), kept->states.end(), is_data)) {
      out.push_back(change);
      continue;
    }
    out.insert(out.end(), kept->states.begin(), kept->states.end());
    ops.insert(kept->ops.begin(), kept->ops.end());
    whole.insert(kept->whole.begin(), kept->whole.end());
    for (const Change& state : kept->states) {
      for (Frame* f = finder.keeper(state); f; f = f->parent) {
        states[f].insert({state.before, state.after});
      }
    }
  }
  if (ops.empty()) {
    return out;
  }
  for_each_call(trace.root, [&](Frame& frame) {
    std::erase_if(frame.items, [&](const trace::Item& item) {
      const auto* op = std::get_if<OpNode>(&item);
      return op && ops.contains(op);
    });
    std::set<ValueId> gone = whole;
    if (const auto it = states.find(&frame); it != states.end()) {
      gone.insert(it->second.begin(), it->second.end());
    }
    take_out(interp, frame, gone);
  });
  find_producers(trace, 1);
  return out;
}

std::vector<Change> layer_states(
    const Trace& trace,
    const std::vector<Change>& changes) {
  const StateFinder finder(trace, true);
  std::vector<Change> out;
  for (const Change& change : changes) {
    if (const auto kept = finder.find(change)) {
      out.insert(out.end(), kept->states.begin(), kept->states.end());
    }
  }
  return out;
}

void forget_rest(Trace& trace, size_t items, ValueId first) {
  while (trace.root.items.size() > items) {
    trace.root.items.pop_back();
  }
  find_producers(trace, first);
}

void find_producers(Trace& trace, ValueId first) {
  for (ValueId id = first; id < trace.values.size(); ++id) {
    trace.values[id].producer = nullptr;
    trace.values[id].frame = nullptr;
  }
  for_each_call(trace.root, [&](Frame& frame) {
    for (const auto& item : frame.items) {
      const auto* op = std::get_if<OpNode>(&item);
      for (ValueId id : op ? op->outputs : std::vector<ValueId>{}) {
        const bool passed_on =
            std::find(op->inputs.begin(), op->inputs.end(), id) !=
            op->inputs.end();
        if (id >= first && !passed_on) {
          trace.values[id].producer = op;
          trace.values[id].frame = &frame;
        }
      }
    }
  });
}

}  // namespace portwright::emit

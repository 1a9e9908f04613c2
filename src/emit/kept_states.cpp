#include "emit/kept_states.h"

#include "emit/layer_states.h"
#include "emit/model_writer.h"
#include "lift/recurrence.h"
#include "lift/step.h"

namespace portwright::emit {

using eval::Kind;
using eval::Value;
using Change = KeptStates::Change;

namespace {

constexpr const char* kCaches = "transformers.cache_utils";

std::unique_ptr<Frame> call_of(Value function, Frame& parent) {
  auto out = std::make_unique<Frame>();
  out->function = eval::Ref<eval::Function>(function.get<eval::Function>());
  out->call = parent.call;
  out->parent = &parent;
  return out;
}

Value stand_in(eval::Interpreter& interp, const char* name) {
  return interp.getattr(
      Value(interp.import_module("portwright.running")), name);
}

/// All values that a call and what it calls made or handed on.
void collect_values(const Frame& frame, std::set<ValueId>& out) {
  out.insert(frame.inputs.begin(), frame.inputs.end());
  out.insert(frame.outputs.begin(), frame.outputs.end());
  for (const auto& item : frame.items) {
    if (const auto* op = std::get_if<OpNode>(&item)) {
      out.insert(op->outputs.begin(), op->outputs.end());
    } else if (const auto* child = std::get_if<std::unique_ptr<Frame>>(&item)) {
      collect_values(**child, out);
    }
  }
}

void for_each_frame(Frame& frame, const std::function<void(Frame&)>& visit) {
  for (auto& item : frame.items) {
    if (auto* child = std::get_if<std::unique_ptr<Frame>>(&item)) {
      visit(**child);
      for_each_frame(**child, visit);
    }
  }
}

using States = std::vector<std::pair<ValueId, ValueId>>;  // before, after

/// Moves what the forward of one token did into the module's.
void add_step(
    eval::Interpreter& interp,
    Frame& module,
    const States& states,
    Frame& one) {
  auto step = std::make_unique<Frame>();
  step->function = lift::step_function(interp);
  step->call = one.call;
  step->parent = &module;
  step->items = std::move(one.items);
  one.items.clear();
  for (auto& item : step->items) {
    if (auto* child = std::get_if<std::unique_ptr<Frame>>(&item)) {
      (*child)->parent = step.get();
    }
  }
  for (const auto& [before, after] : states) {
    step->outputs.push_back(before);
    step->inputs.push_back(after);
  }
  const auto add = [](std::vector<ValueId>& to, const auto& more) {
    to.insert(to.end(), more.begin(), more.end());
  };
  add(step->outputs, one.inputs);
  add(step->inputs, one.outputs);
  module.items.emplace_back(std::move(step));
}

}  // namespace

void KeptStates::visit(const std::string& place, const Value& value, bool own) {
  if (!value.is_object() || place.size() > 400) {
    return;
  }
  if (torch::Tensor* t = torch::as_tensor(value)) {
    const bool known = t->is_parameter || t->is_buffer;
    if (!known) {
      held_[place] = {value, t->storage->version, own};
    }
    return;
  }
  const eval::Object* object = value.object();
  if (std::find(around_.begin(), around_.end(), object) != around_.end()) {
    return;
  }
  around_.push_back(object);
  const auto all = [&](const std::vector<Value>& items) {
    for (size_t i = 0; i < items.size(); ++i) {
      visit(place + "[" + std::to_string(i) + "]", items[i], own);
    }
  };
  switch (object->kind) {
    case Kind::List:
      all(value.get<eval::List>()->items);
      break;
    case Kind::Tuple:
      all(value.get<eval::Tuple>()->items);
      break;
    case Kind::Dict:
      for (const auto& e : value.get<eval::Dict>()->entries()) {
        if (e.key.defined()) {
          visit(place + "[" + interp_.repr(e.key) + "]", e.value, own);
        }
      }
      break;
    case Kind::Instance:
      if (object->attrs && !object->is_config) {
        const bool library = object->cls->module == kCaches;
        for (const auto& [name, attribute] : object->attrs->entries()) {
          visit(place + "." + name.str(), attribute, !library);
        }
      }
      break;
    default:
      break;
  }
  around_.pop_back();
}

KeptStates::Places KeptStates::look() {
  Places out;
  std::swap(out, held_);
  if (cache_.defined()) {
    visit("cache", cache_, true);
  }
  for (const auto& [path, module] : trace_.modules) {
    if (!module.object()->attrs) {
      continue;
    }
    for (const auto& [name, attribute] : module.object()->attrs->entries()) {
      if (!name.str().starts_with("_") && !attribute.is(Kind::Instance)) {
        visit(path + "." + name.str(), attribute, true);
      }
    }
  }
  std::swap(out, held_);
  return out;
}

std::vector<Change> KeptStates::changes(ValueId first) {
  std::map<const eval::Object*, ValueId> read;
  for (ValueId id = first; id < trace_.values.size(); ++id) {
    if (!trace_.info(id).producer) {
      read.try_emplace(trace_.info(id).tensor.object(), id);
    }
  }
  const auto left = [&](const torch::Tensor& t) -> ValueId {
    const bool known = t.value_id >= first &&
                       t.value_id < trace_.values.size() &&
                       trace_.info(t.value_id).tensor.object() == &t &&
                       t.value_version == t.storage->version;
    return known ? t.value_id : 0;
  };
  Places now = look();
  std::vector<Change> out;
  for (const auto& [place, held] : now) {
    const auto old = held_.find(place);
    const bool known = old != held_.end();
    if (known && old->second.tensor.object() == held.tensor.object() &&
        old->second.version == held.version) {
      continue;
    }
    torch::Tensor& tensor = *torch::as_tensor(held.tensor);
    Change change{place, held.own, 0, left(tensor)};
    if (known) {
      const auto it = read.find(old->second.tensor.object());
      change.before = it == read.end() ? 0 : it->second;
    }
    tensor.value_id = 0;  // the next forward reads it as a value of its own
    if (change.after) {
      out.push_back(std::move(change));
    }
  }
  held_ = std::move(now);
  return out;
}

namespace {

/// What an operation writes over all of a tensor; 0 when it does not.
ValueId written_whole(const Trace& trace, const OpNode& op) {
  if (op.inputs.size() != 2) {
    return 0;
  }
  const OpNode* onto = trace.info(op.inputs[0]).producer;
  const bool cleared = onto && onto->op->name.starts_with("zero") &&
                       (op.op->name == "add" || op.op->name == "add_");
  const auto& from = trace.info(op.inputs[1]);
  const auto& to = trace.info(op.outputs[0]);
  return (cleared || op.op->name == "copy_") && from.shape == to.shape &&
                 from.dtype == to.dtype
             ? op.inputs[1]
             : 0;
}

}  // namespace

std::vector<Change> before_copies(
    const Trace& trace,
    std::vector<Change> changes) {
  for (Change& change : changes) {
    while (const OpNode* op = trace.info(change.after).producer) {
      const ValueId from = change.own ? written_whole(trace, *op) : 0;
      if (!from) {
        break;
      }
      change.after = from;
    }
  }
  return changes;
}

bool normalise_states(
    eval::Interpreter& interp,
    Trace& trace,
    const std::vector<Change>& changes,
    ValueId ids) {
  const lift::Flows flows(trace, ids, 0, 0);
  for (const Change& change : changes) {
    Frame* module = change.own ? keeper_of(trace, change) : nullptr;
    if (!module || flows.of(change.after) != lift::Flow::Data) {
      continue;
    }
    if (change.before) {
      auto reads = call_of(stand_in(interp, "get_recurrent_state"), *module);
      reads->outputs = {change.before};
      module->items.emplace_front(std::move(reads));
    }
    auto update = call_of(stand_in(interp, "update_recurrent_state"), *module);
    update->inputs = update->outputs = {change.after};
    module->items.emplace_back(std::move(update));
  }
  return lift::keeps_state(trace.root);
}

namespace {

/// The forwards of modules among the first items of the root, by path.
std::map<std::string, Frame*> forwards(Trace& trace, size_t items) {
  std::map<std::string, Frame*> out;
  for (size_t i = 0; i < items; ++i) {
    if (auto* child =
            std::get_if<std::unique_ptr<Frame>>(&trace.root.items[i])) {
      for_each_frame(**child, [&](Frame& f) {
        if (f.is_module()) {
          out.emplace(f.path, &f);
        }
      });
      if ((*child)->is_module()) {
        out.emplace((*child)->path, child->get());
      }
    }
  }
  return out;
}

/// What the forward of one token found and left of each state that the module
/// updates, in order.
States states_of(
    const Trace& trace,
    const Frame& module,
    const std::map<std::string, ValueId>& left,
    const std::vector<Change>& of_step) {
  States out;
  const auto graph = lift::make_graph(trace, module);
  for (const auto& update : lift::find_state_updates(graph)) {
    std::set<ValueId> values;
    collect_values(*update.call, values);
    const auto it =
        std::find_if(of_step.begin(), of_step.end(), [&](const Change& change) {
          const auto at = left.find(change.place);
          return at != left.end() && values.contains(at->second);
        });
    out.push_back(
        it == of_step.end() ? std::pair<ValueId, ValueId>{}
                            : std::pair{it->before, it->after});
  }
  return out;
}

}  // namespace

void fold_step(
    eval::Interpreter& interp,
    Trace& trace,
    size_t items,
    ValueId first,
    const std::vector<Change>& changes,
    const std::vector<Change>& of_step) {
  std::map<std::string, ValueId> left;  // by place, in the whole forward
  for (const Change& change : changes) {
    left[change.place] = change.after;
  }
  const auto whole = forwards(trace, items);
  std::map<Frame*, States> states;
  for (const auto& [path, forward] : whole) {
    if (lift::keeps_state(*forward) && !of_step.empty()) {
      states[forward] = states_of(trace, *forward, left, of_step);
    }
  }
  std::deque<trace::Item> rest;
  while (trace.root.items.size() > items) {
    rest.push_front(std::move(trace.root.items.back()));
    trace.root.items.pop_back();
  }
  const std::function<void(std::deque<trace::Item>&)> fold = [&](auto& among) {
    for (auto& item : among) {
      auto* child = std::get_if<std::unique_ptr<Frame>>(&item);
      if (!child) {
        continue;
      }
      fold((*child)->items);
      const auto it =
          (*child)->is_module() ? whole.find((*child)->path) : whole.end();
      if (it != whole.end() && !states[it->second].empty()) {
        add_step(interp, *it->second, states[it->second], **child);
      }
    }
  };
  fold(rest);
  find_producers(trace, first);
}

}  // namespace portwright::emit

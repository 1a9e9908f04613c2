#include "emit/stacks.h"

#include "emit/backbone_parts.h"
#include "emit/layer_count.h"
#include "emit/layer_loop.h"

namespace portwright::emit {

using eval::Provenance;

namespace {

/// The calls of modules that a forward makes itself.
void collect_calls(const Frame& frame, std::vector<const Frame*>& out) {
  for (const auto& item : frame.items) {
    const auto* child = std::get_if<std::unique_ptr<Frame>>(&item);
    if (child && (*child)->is_module()) {
      out.push_back(child->get());
    } else if (child) {
      collect_calls(**child, out);
    }
  }
}

/// The loops that an argument was counted by.
void find_loops(
    Context& context,
    const Provenance* p,
    std::map<std::string, int64_t>& out) {
  if (!p) {
    return;
  }
  if (p->kind == Provenance::Kind::Loop) {
    if (p->left) {
      out[context.args_text(p->left)] = p->integer;
    }
    return;
  }
  for (const Provenance* part : {p->left, p->right, p->test}) {
    find_loops(context, part, out);
  }
}

/// The class of a stack; those of its layers come before it. How many layers it
/// has, in terms of ModelArgs.
std::string
write_stack(Context& context, const Frame& stack, const Masks& masks) {
  Roles roles;
  roles.backbone = &stack;
  roles.layers = list_of(stack);
  roles.layer_frames = layers_of(stack);
  const std::string layer = layer_constructor(context, roles, masks);
  const std::string count = layer_count(context, roles);
  ModuleWriter w(context, stack);
  const auto given = data_inputs(context, stack);
  if (given.size() != 1) {
    context.hole(stack.call, "'" + stack.path + "' is given several states");
  }
  w.bind(given.front(), "h");
  w.states_dtype = "h.dtype";
  const ValueId first = data_inputs(context, *roles.layer_frames[0]).front();
  w.count_uses({first});
  const LoopInputs inputs = find_loop_inputs(w, roles, masks);
  if (const Expression h = w.value(first); h.text != "h") {
    w.statement("h = " + h.text);
  }
  w.initialise(roles.layers, "[" + layer + " for i in range(" + count + ")]");
  write_layer_loop(w, roles, masks, inputs);
  w.bind(roles.layer_frames.back()->outputs.front(), "h");
  w.count_uses({stack.outputs.front()});
  const Expression result = w.value(stack.outputs.front());
  w.statement("return " + result.text);
  context.classes.push_back(
      w.take(context.short_name(stack.module.object()->cls->name)));
  return count;
}

}  // namespace

std::vector<const Frame*> calls_in(const Frame& frame) {
  std::vector<const Frame*> out;
  collect_calls(frame, out);
  return out;
}

std::vector<const Frame*> layers_of(const Frame& stack) {
  std::vector<const Frame*> out;
  collect_calls(stack, out);
  std::erase_if(out, [](const Frame* f) {
    return list_path(f->path).empty() || !lift::uses_cache(*f);
  });
  return out;
}

std::string list_of(const Frame& stack) {
  const auto layers = layers_of(stack);
  return layers.empty()
             ? ""
             : list_path(layers[0]->path).substr(stack.path.size() + 1);
}

std::vector<const Frame*> find_stack_calls(const Frame& outer) {
  std::vector<const Frame*> out;
  collect_calls(outer, out);
  std::erase_if(out, [](const Frame* f) { return !lift::uses_cache(*f); });
  const bool stacks =
      out.size() > 1 && std::all_of(out.begin(), out.end(), [](auto* f) {
        return list_path(f->path).empty() && !layers_of(*f).empty();
      });
  return stacks ? out : std::vector<const Frame*>{};
}

StackLoops::StackLoops(ModuleWriter& w, const Roles& roles, const Masks& masks)
    : w_(w), roles_(roles) {
  Context& context = w.context();
  if (!masks.recurrent.empty() || masks.mixed() || !masks.any_full ||
      masks.attentions > 1 || !masks.index.empty() ||
      !context.carried.empty() || context.shared_keys.any()) {
    context.hole(
        roles.backbone->call, "stacks run in turns keep more than keys");
  }
  std::map<std::string, const Frame*> before;
  for (const Frame* call : roles.stack_calls) {
    Turn turn{call, {}};
    for (const eval::Value& arg : call->args) {
      find_loops(context, arg.provenance(), turn.loops);
    }
    turns_.push_back(std::move(turn));
    made_by_[call->outputs.front()] = call;
  }
  const std::string last = roles.stack_calls.back()->path;
  variables_[last] = "h";
  for (const Frame* call : roles.stack_calls) {
    const auto [it, fresh] = before.try_emplace(call->path, call);
    for (size_t i = 0; !fresh && i < call->inputs.size(); ++i) {
      find_first(it->second->inputs.at(i), call->inputs[i]);
    }
    if (fresh) {
      counts_[call->path] = write_stack(context, *call, masks);
      if (call->path != last) {
        variables_[call->path] = w.fresh(w.house_of(call->outputs.front()));
      }
    }
  }
  block_ = block(turns_, {});
}

/// What a stack answered is, in later turns, where in the first one a value
/// from before the loops is: the first value of that state.
void StackLoops::find_first(ValueId first, ValueId later) {
  if (first == later || made_by_.contains(first)) {
    return;
  }
  if (const auto it = made_by_.find(later); it != made_by_.end()) {
    const auto [known, fresh] = first_.try_emplace(it->second->path, first);
    if (!fresh && known->second != first) {
      w_.context().hole(
          it->second->call,
          "'" + it->second->path + "' goes on from several states");
    }
    return;
  }
  const OpNode* a = w_.context().trace.info(first).producer;
  const OpNode* b = w_.context().trace.info(later).producer;
  if (a && b && a->op == b->op && a->inputs.size() == b->inputs.size()) {
    for (size_t i = 0; i < a->inputs.size(); ++i) {
      find_first(a->inputs[i], b->inputs[i]);
    }
  }
}

void StackLoops::write_states() {
  std::vector<ValueId> read{turns_.back().call->outputs.front()};
  for (const auto& [path, id] : first_) {
    read.push_back(id);
  }
  w_.count_uses(read);
  const std::string& last = turns_.back().call->path;
  const auto write = [&](const std::string& path, ValueId id) {
    const std::string& name = variables_.at(path);
    const std::string text = w_.value(id).text;
    if (text != name) {
      w_.statement(name + " = " + text);
    }
    w_.bind(id, name);
  };
  if (first_.contains(last)) {  // others may be made of it
    write(last, first_.at(last));
  }
  for (const auto& [path, id] : first_) {
    if (path != last) {
      write(path, id);
    }
  }
}

void StackLoops::write_loops() {
  w_.statement("caches = iter(cache)");
  for (const Turn& turn : turns_) {
    texts_[turn.call] = statement_of(turn);
  }
  for (const auto& line : block(turns_, {}).lines) {
    w_.statement(line);
  }
}

std::string StackLoops::statement_of(const Turn& turn) {
  Context& context = w_.context();
  const size_t before = w_.statement_count();
  const Frame& call = *turn.call;
  const auto given = data_inputs(context, call);
  const trace::Twin* half = context.evaluation.half;
  const auto at = static_cast<size_t>(
      std::find(call.inputs.begin(), call.inputs.end(), given.front()) -
      call.inputs.begin());
  const auto dtype = half ? half->input_dtype(call, at) : std::nullopt;
  const std::string x =
      w_.converted(w_.value(given.front()), given.front(), dtype).text;
  if (w_.statement_count() != before) {
    context.hole(call.call, "something happens before '" + call.path + "'");
  }
  const std::string name = path_below(roles_.backbone->path, call.path);
  const Expression stack = w_.member(
      name, context.short_name(call.module.object()->cls->name) + "(args)");
  const std::string& state = variables_.at(call.path);
  w_.bind(call.outputs.front(), state);
  return state + " = " + stack.text + "(" + x + ", mask, caches)";
}

/// The loop that runs longest from the first turn on, among those not entered,
/// and how many turns it takes.
std::pair<std::string, size_t> StackLoops::longest_loop(
    Turns turns,
    const std::set<std::string>& inside) {
  std::pair<std::string, size_t> found;
  for (const auto& [bound, index] : turns.front().loops) {
    size_t n = 0;
    int64_t at = index;
    while (n < turns.size() && turns[n].loops.contains(bound) &&
           turns[n].loops.at(bound) >= at) {
      at = turns[n++].loops.at(bound);
    }
    if (!inside.contains(bound) && n > found.second) {
      found = {bound, n};
    }
  }
  return found;
}

StackLoops::Block StackLoops::loop(
    Turns turns,
    const std::string& bound,
    std::set<std::string> inside) {
  inside.insert(bound);
  std::optional<Block> body;
  for (size_t from = 0; from < turns.size();) {
    size_t to = from;
    while (to < turns.size() &&
           turns[to].loops.at(bound) == turns[from].loops.at(bound)) {
      ++to;
    }
    Block turn = block(turns.subspan(from, to - from), inside);
    if (body && (body->lines != turn.lines || body->caches != turn.caches)) {
      w_.context().hole(
          turns[from].call->call, "the turns of a loop over stacks differ");
    }
    body = std::move(turn);
    from = to;
  }
  const std::string name = bound.substr(bound.rfind('.') + 1);
  w_.initialise(name, bound);
  Block out;
  out.lines = {"for _ in range(self." + name + "):"};
  for (const auto& line : body->lines) {
    out.lines.push_back("    " + line);
  }
  out.caches = bound + " * " +
               (body->caches.find(" + ") == std::string::npos
                    ? body->caches
                    : "(" + body->caches + ")");
  return out;
}

StackLoops::Block StackLoops::block(
    Turns turns,
    const std::set<std::string>& inside) {
  Block out;
  const auto add = [&](const Block& more) {
    out.lines.insert(out.lines.end(), more.lines.begin(), more.lines.end());
    out.caches += (out.caches.empty() ? "" : " + ") + more.caches;
  };
  for (size_t at = 0; at < turns.size();) {
    const Turns rest = turns.subspan(at);
    if (const auto [bound, n] = longest_loop(rest, inside); n > 0) {
      add(loop(rest.first(n), bound, inside));
      at += n;
      continue;
    }
    const Frame* call = rest.front().call;
    add({{texts_[call]}, counts_.at(call->path)});
    ++at;
  }
  return out;
}

}  // namespace portwright::emit

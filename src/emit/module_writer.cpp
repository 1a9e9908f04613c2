#include "emit/module_writer.h"

#include "emit/activations.h"
#include "emit/equal_modules.h"
#include "emit/gaps.h"
#include "emit/handed_tables.h"
#include "emit/layer_caches.h"
#include "emit/module_inputs.h"
#include "emit/operations.h"

namespace portwright::emit {

using eval::Value;
using lift::Flow;
using lift::uses_cache;

bool uses_mask(const Context& context, const Frame& frame) {
  if (lift::keeps_state(frame)) {
    return true;  // padding must not enter it
  }
  for (const auto& item : frame.items) {
    if (const auto* op = std::get_if<OpNode>(&item)) {
      for (ValueId id : op->inputs) {
        if (context.flows.of(id) == Flow::Mask) {
          return true;
        }
      }
    } else if (const auto* child = std::get_if<std::unique_ptr<Frame>>(&item)) {
      if (!lift::is_mask_function(**child) && uses_mask(context, **child)) {
        return true;
      }
    }
  }
  return false;
}

ModuleWriter::ModuleWriter(Context& context, const Frame& frame)
    : context_(context),
      frame_(frame),
      graph_(lift::make_graph(context.trace, frame)),
      reassigned_(find_reassigned(context, graph_)),
      attention_(*this),
      recurrent_(*this),
      grouped_(*this),
      rows_(*this),
      norms_(*this) {
  used_names_ = {
      "self",
      "x",
      "mask",
      "cache",
      "index_cache",
      "B",
      "L",
      "D",
      "args",
      "mx",
      "nn"};
  taken_ = taken_by(context_, frame);
  given_ = given_by(context_, frame);
  for (const Carried* carried : taken_) {
    used_names_.insert(carried->name);
  }
  classify_inputs();
}

void ModuleWriter::bind(ValueId id, std::string name) {
  used_names_.insert(name);
  names_[id] = std::move(name);
}

void ModuleWriter::statement(std::string text) {
  statements_.push_back(std::move(text));
}

void ModuleWriter::initialise(
    const std::string& name,
    const std::string& text) {
  if (init_names_.insert(name).second) {
    init_.emplace_back(name, text);
  }
}

void ModuleWriter::open_with(const std::string& text, const std::string& name) {
  if (opened_.insert(name).second) {
    used_names_.insert(name);
    statements_.insert(statements_.begin() + opening_++, text);
  }
}

std::string ModuleWriter::fresh(std::string name) {
  if (name.empty()) {
    name = "y";
  }
  std::string candidate = name;
  for (int i = 2; used_names_.contains(candidate); ++i) {
    candidate = name + std::to_string(i);
  }
  used_names_.insert(candidate);
  return candidate;
}

std::string ModuleWriter::name(ValueId id) {
  if (!is_named(id)) {
    const Expression e = value(id);
    if (!is_named(id)) {
      const std::string name = fresh(house_of(id));
      statement(name + " = " + e.text);
      bind(id, name);
    }
  }
  return value(id).text;
}

std::string ModuleWriter::house_of(ValueId id) const {
  const auto& info = context_.trace.info(id);
  if (context_.evaluation.handed.contains(id)) {
    std::string path = info.parameter;
    if (path.ends_with(".weight")) {
      path.resize(path.rfind('.'));
    }
    return house_name(path.substr(path.rfind('.') + 1));
  }
  return info.names.empty() ? "y" : house_name(info.names.front().str());
}

/// What a call hands on beside its own answer, which needs the same.
bool ModuleWriter::is_beside(ValueId id, const Frame& call) const {
  const Carried* carried = carried_of(context_, id);
  const auto given = given_by(context_, call);
  return std::find(given.begin(), given.end(), carried) != given.end() &&
         id != call.outputs.front();
}

std::vector<ValueId> ModuleWriter::dependencies(ValueId id) {
  if (attention_.owns(id)) {
    return attention_.dependencies(id);
  }
  if (grouped_.owns(id)) {
    return grouped_.dependencies(id);
  }
  if (const Frame* selected = activation(id)) {
    return selected->inputs;
  }
  if (auto known = recurrent_.dependencies(id)) {
    return *known;
  }
  if (rows_.owns(id)) {
    return rows_.dependencies(id);
  }
  if (norms_.owns(id)) {
    return norms_.dependencies(id);
  }
  auto it = graph_.producers.find(id);
  if (it == graph_.producers.end()) {
    return {};
  }
  std::vector<ValueId> out;
  if (it->second.op) {
    out = it->second.op->inputs;
  } else if (it->second.call && !is_beside(id, *it->second.call)) {
    out = it->second.call->inputs;
  }
  std::erase_if(out, [&](ValueId v) {
    return context_.flows.of(v) != Flow::Data &&
           context_.flows.of(v) != Flow::Position && !constructing_;
  });
  return out;
}

void ModuleWriter::count_uses(const std::vector<ValueId>& outputs) {
  std::set<ValueId> seen;
  std::vector<ValueId> pending(outputs);
  outputs_ = outputs;
  for (ValueId id : outputs) {
    ++uses_[id];
  }
  while (!pending.empty()) {
    const ValueId id = pending.back();
    pending.pop_back();
    if (!seen.insert(id).second || names_.contains(id)) {
      continue;
    }
    for (ValueId input : dependencies(id)) {
      ++uses_[input];
      pending.push_back(input);
    }
  }
}

namespace {

/// Longer expressions get a name where the source gave one.
constexpr size_t kInlineLength = 64;

bool has_variable(const Frame& frame, base::Symbol name) {
  if (!frame.function) {
    return true;  // a module's constructor
  }
  const auto& names = frame.function->code->slot_names;
  return std::find(names.begin(), names.end(), name) != names.end();
}

}  // namespace

/// True when the source names a value here, not only where it is answered to.
bool ModuleWriter::is_named_inside(ValueId id) const {
  const auto& names = context_.trace.info(id).names;
  return std::any_of(names.begin(), names.end(), [&](base::Symbol name) {
    const auto& opened = graph_.functions;
    return has_variable(frame_, name) ||
           std::any_of(opened.begin(), opened.end(), [&](const Frame* f) {
             return has_variable(*f, name);
           });
  });
}

Expression ModuleWriter::value(ValueId id) {
  if (auto it = names_.find(id); it != names_.end()) {
    return {it->second, kPrimary};
  }
  Expression e = produce(id);
  if (auto it = names_.find(id); it != names_.end()) {
    return {it->second, kPrimary};  // bound together with its siblings
  }
  if (change_) {
    e.text = change_(std::move(e.text));
  }
  const bool trivial = e.precedence == kPrimary &&
                       e.text.find_first_of("( ") == std::string::npos;
  const bool named = is_named_inside(id);
  const bool own =
      uses_[id] > 1 || reassigned_.values.contains(id) || is_saved(id);
  if ((own && !trivial) || (named && e.text.size() > kInlineLength)) {
    const std::string name = name_for(id);
    statement(name + " = " + e.text);
    names_[id] = name;
    save(id);
    return {name, kPrimary};
  }
  return e;
}

/// What an `if` gives anew keeps its name, where nothing else reads the old.
std::string ModuleWriter::name_for(ValueId id) {
  if (const Carried* carried = carried_of(context_, id);
      takes(carried) && !carried->apart) {
    return carried->name;  // in place of the one before
  }
  const auto before = reassigned_.before.find(id);
  if (before == reassigned_.before.end() || !names_.contains(before->second)) {
    return fresh(house_of(id));
  }
  std::set<ValueId> seen{id};
  std::vector<ValueId> pending(outputs_);
  while (!pending.empty()) {
    const ValueId v = pending.back();
    pending.pop_back();
    if (!seen.insert(v).second) {
      continue;
    }
    if (v == before->second) {
      return fresh(house_of(id));
    }
    const auto inputs = dependencies(v);
    pending.insert(pending.end(), inputs.begin(), inputs.end());
  }
  return names_.at(before->second);
}

const Frame* ModuleWriter::activation(ValueId id) {
  // A convolution has the activation of what it answers in it.
  return recurrent_.convolves(id) ? nullptr
                                  : selected_activation(context_, id, frame_);
}

Expression ModuleWriter::call_activation(const Frame& frame) {
  const auto& selection = context_.trace.selected.at(frame.module.object());
  context_.fields.insert(selection.field);
  context_.looked_up.insert(selection.field);
  context_.activations = selection.registry;
  // The functions of mlx.nn are no members: a model is copied and pickled.
  initialise(selection.field, "args." + selection.field);
  return call(
      "ACTIVATIONS[self." + selection.field + "]",
      {value(frame.inputs.front()).text});
}

Expression ModuleWriter::produce(ValueId id) {
  const Expression e = make(id);
  return !is_named(id) && narrows(id) && is_made_wide(id) ? narrowed(e) : e;
}

Expression ModuleWriter::make(ValueId id) {
  const auto& info = context_.trace.info(id);
  if (const Frame* selected = activation(id)) {
    return call_activation(*selected);
  }
  if (attention_.owns(id)) {
    return attention_.produce(id);
  }
  if (recurrent_.owns(id)) {
    return recurrent_.produce(id);
  }
  if (grouped_.owns(id)) {
    return grouped_.produce(id);
  }
  if (id == context_.evaluation.positions) {
    return positions();
  }
  if (rows_.owns(id)) {
    return rows_.produce(id);
  }
  if (norms_.owns(id)) {
    return norms_.produce(id);
  }
  if (takes_mask_) {
    const ValueId whole = lift::whole_mask(context_.trace, context_.flows, id);
    if (whole && context_.trace.info(whole).dtype == info.dtype) {
      return info.dtype == torch::Dtype::Bool ? attention_.shown_keys()
                                              : attention_.additive_mask();
    }
  }
  if (context_.flows.of(id) == Flow::Constant && !in_checkpoint(id)) {
    if (const Value scalar_value = buffer_scalar(id); scalar_value.defined()) {
      const Expression e = scalar(scalar_value);
      const bool rounded = info.dtype == torch::Dtype::BFloat16 &&
                           !constructing_ && !states_dtype.empty();
      return rounded
                 ? Expression{"mx.array(" + e.text + ", dtype=mx.bfloat16).astype(" + states_dtype + ")", kPrimary}
                 : e;
    }
  }
  if (!info.parameter.empty()) {
    return context_.flows.of(id) == Flow::Parameter ? parameter(id)
                                                    : buffer(id);
  }
  auto it = graph_.producers.find(id);
  if (it == graph_.producers.end() && info.producer &&
      (context_.flows.of(id) < Flow::Mask ||
       is_mask_with_bias(context_.trace, context_.flows, id))) {
    return made_outside(id);
  }
  if (it == graph_.producers.end()) {
    const std::string known =
        info.names.empty() ? "" : " '" + info.names.front().str() + "'";
    context_.hole(
        info.producer ? info.producer->span : frame_.call,
        "a value" + known + " that '" + frame_.path +
            "' reads is made outside of it in no known way");
  }
  if (it->second.call) {
    return call_module(*it->second.call, it->second.index);
  }
  return operation(*it->second.op, it->second.index);
}

/// What is made outside of data that is no one's: here again. Where the module
/// is given tables for it, what is read more than once has a name.
Expression ModuleWriter::made_outside(ValueId id) {
  const auto& info = context_.trace.info(id);
  const Expression made = operation(*info.producer, 0);
  const auto& handed = context_.evaluation.handed;
  const bool given =
      std::any_of(frame_.inputs.begin(), frame_.inputs.end(), [&](ValueId v) {
        return handed.contains(v);
      });
  if (!given || info.names.empty() || constructing_ || is_named(id)) {
    return made;
  }
  const std::string name = fresh(house_of(id));
  statement(name + " = " + made.text);
  bind(id, name);
  return {name, kPrimary};
}

std::string ModuleWriter::child_name(const std::string& path) {
  return frame_.path.empty() ? path : path.substr(frame_.path.size() + 1);
}

Expression ModuleWriter::call_module(const Frame& child, size_t index) {
  const auto experts = [&] {
    const base::Stopwatch lifting(context_.lift_ms);
    return lift::lift_experts(
        context_.interp, context_.trace, child, context_.is_of_other_numbers);
  }();
  if (experts) {
    return call_experts(child, *experts);
  }
  std::vector<ValueId> used;
  std::vector<ValueId> outputs = child.outputs;
  if (const auto more = handed_out_.find(&child); more != handed_out_.end()) {
    outputs.insert(outputs.end(), more->second.begin(), more->second.end());
  }
  for (ValueId id : outputs) {
    const auto it = graph_.producers.find(id);
    const bool own = it != graph_.producers.end() && it->second.call == &child;
    if (uses_.contains(id) && own && !is_beside(id, child) &&
        std::find(used.begin(), used.end(), id) == used.end()) {
      used.push_back(id);
    }
  }
  if (used.empty()) {
    used.push_back(
        is_beside(outputs[index], child) ? outputs.front() : outputs[index]);
  }
  const std::string made = constructor_or_gap(context_, child, used);
  const Expression called = member(child_name(child.path), made);
  std::vector<std::string> args, keywords;
  const trace::Twin* half = context_.evaluation.half;
  const auto optional = child.inputs.size() > 1
                            ? ModuleWriter(context_, child).optional_inputs()
                            : std::map<ValueId, std::string>{};
  for (size_t i = 0; i < child.inputs.size(); ++i) {
    const ValueId id = child.inputs[i];
    if (!carried_of(context_, id) && is_handed(context_, child, id)) {
      const auto dtype = half ? half->input_dtype(child, i) : std::nullopt;
      std::string text = converted(value(id), id, dtype).text;
      if (const auto own = optional.find(id); own != optional.end()) {
        keywords.push_back(own->second + "=" + text);
      } else if (std::find(args.begin(), args.end(), text) == args.end()) {
        args.push_back(std::move(text));
      }
    }
  }
  if (args.empty() && !child.inputs.empty() && made.starts_with("nn.")) {
    args.push_back(value(child.inputs.front()).text);  // it runs on no states
  }
  for (ValueId id : rows_given(context_, child)) {
    args.push_back(value(id).text);
  }
  for (const Carried* carried : taken_by(context_, child)) {
    args.push_back(carried->name);
  }
  const bool hands = hands_keys(context_, child);
  if (hands) {
    args.emplace_back(SharedKeys::kName);
  }
  const bool recurrent = lift::keeps_state(child);
  if (takes_both_ && recurrent != lift::updates_keys(child)) {
    args.emplace_back(recurrent ? "ssm_mask" : "mask");
    args.emplace_back(
        !recurrent        ? "cache[1]"
        : splits_states() ? "state_cache"
                          : "cache[0]");
  } else if (takes_both_ && recurrent) {
    args.insert(args.end(), {"mask", "ssm_mask", "cache"});
  } else if (attends(context_, child)) {
    if (uses_mask(context_, child)) {
      args.emplace_back("mask");
    }
    const bool index = splits_cache_ && lift::updates_index(child);
    const auto own = layer_indices(child);
    const auto all = layer_indices(frame_);
    const auto at =
        std::find(all.begin(), all.end(), own.empty() ? -1 : own[0]);
    args.emplace_back(
        index ? "index_cache"
        : own.size() != 1 || all.size() <= 1
            ? "cache"
            : "cache[" + std::to_string(at - all.begin()) + "]");
  }
  args.insert(args.end(), keywords.begin(), keywords.end());
  const Expression answer = call(called.text, std::move(args));
  std::vector<std::string> more;
  for (const Carried* carried : given_by(context_, child)) {
    more.push_back(takes(carried) ? carried->name : fresh(carried->name));
    if (const ValueId id = made_inside(context_, child, *carried)) {
      names_[id] = more.back();
    }
  }
  if (hands) {
    more.emplace_back(SharedKeys::kName);
  }
  return used.size() == 1 && more.empty()
             ? answer
             : unpacked(answer, used, outputs[index], more);
}

void ModuleWriter::hand_out(const Frame& call, ValueId id) {
  auto& more = handed_out_[&call];
  more.push_back(id);
  graph_.producers[id] = {
      nullptr, &call, call.outputs.size() + more.size() - 1};
}

/// Names what a call hands out as a tuple; the one asked for.
Expression ModuleWriter::unpacked(
    const Expression& answer,
    const std::vector<ValueId>& ids,
    ValueId wanted,
    const std::vector<std::string>& more) {
  std::vector<std::string> targets;
  for (ValueId id : ids) {
    const Carried* carried = carried_of(context_, id);
    names_[id] =
        takes(carried) && !carried->apart ? carried->name : fresh(house_of(id));
    targets.push_back(names_[id]);
  }
  targets.insert(targets.end(), more.begin(), more.end());
  statement(join(targets) + " = " + answer.text);
  for (ValueId id : ids) {
    save(id);
  }
  return {names_.at(wanted), kPrimary};
}

std::optional<std::string> ModuleWriter::embedding_module(const OpNode& op) {
  const std::string name = weight_owner(input_of(op, 1));
  if (name.empty()) {
    return {};
  }
  const Value module =
      context_.module(frame_.path.empty() ? name : frame_.path + "." + name);
  auto size = [&](const char* attribute) {
    return context_.args_text(context_.interp.getattr(module, attribute));
  };
  initialise(
      name,
      "nn.Embedding(" + size("num_embeddings") + ", " + size("embedding_dim") +
          ")");
  return name;
}

/// What a scalar buffer was made from: torch.tensor(config.hidden_size**0.5).
Value ModuleWriter::buffer_scalar(ValueId id) const {
  const auto* tensor = torch::as_tensor(context_.trace.info(id).tensor);
  if (!tensor || tensor->numel() != 1) {
    return {};
  }
  for (const auto& info : context_.trace.values) {
    const auto* other = torch::as_tensor(info.tensor);
    if (other && info.producer && other->shares_storage(*tensor) &&
        info.producer->inputs.empty()) {
      for (const Value& arg : info.producer->args) {
        if (arg.is_number() && !arg.is_bool()) {
          return arg;
        }
      }
    }
  }
  return {};
}

std::optional<std::string> ModuleWriter::linear_module(const OpNode& op) {
  const std::string name = weight_owner(input_of(op, 1));
  if (name.empty()) {
    return {};
  }
  const auto sizes = size_texts(input_of(op, 1));
  const bool bias = op.args.size() > 2 && torch::as_tensor(op.args[2]);
  initialise(
      name,
      "nn.Linear(" + sizes[1] + ", " + sizes[0] +
          (bias ? ")" : ", bias=False)"));
  return name;
}

ValueId ModuleWriter::input_of(const OpNode& op, size_t parameter) const {
  size_t next = 0;
  for (size_t i = 0; i < op.args.size(); ++i) {
    const size_t count = trace::tensors_in(op.args[i]).size();
    if (i == parameter) {
      return count ? op.inputs[next] : 0;
    }
    next += count;
  }
  return 0;
}

Expression ModuleWriter::operation(const OpNode& op, size_t index) {
  if (op.outputs.size() > 1) {
    uses_.try_emplace(op.outputs[index], 1);
    outputs_together(op);
    return {names_.at(op.outputs[index]), kPrimary};
  }
  return Operations(*this).translate(op);
}

void ModuleWriter::outputs_together(const OpNode& op) {
  std::vector<std::string> parts = Operations(*this).translate_many(op);
  if (parts.size() == op.outputs.size()) {  // one expression each
    for (size_t i = 0; i < parts.size(); ++i) {
      const ValueId id = op.outputs[i];
      if (used_names_.contains(parts[i])) {
        names_[id] = parts[i];  // it has a name
      } else if (uses_.contains(id)) {
        names_[id] = fresh(house_of(id));
        statement(names_[id] + " = " + parts[i]);
      }
    }
    return;
  }
  std::vector<std::string> targets;
  for (ValueId id : op.outputs) {
    names_[id] = fresh(house_of(id));
    targets.push_back(names_[id]);
  }
  statement(join(targets) + " = " + parts.front());
}

ClassText ModuleWriter::write(const std::vector<ValueId>& outputs) {
  if (takes_cache_) {
    recurrent_.find();
    attention_.find();
    rows_.find();
  }
  grouped_.find();
  std::vector<ValueId> used(outputs);
  if (kept_keys_.first) {
    used.insert(used.end(), {kept_keys_.first, kept_keys_.second});
  }
  for (const Carried* carried : given_) {
    if (const ValueId id = made_inside(context_, frame_, *carried)) {
      used.push_back(id);
    }
  }
  count_uses(used);
  for (ValueId id : used) {
    uses_[id] -= is_saved(id);  // its other name is read
  }
  std::vector<std::string> results;
  const trace::Twin* half = context_.evaluation.half;
  for (ValueId id : outputs) {
    const auto at =
        std::find(frame_.outputs.begin(), frame_.outputs.end(), id) -
        frame_.outputs.begin();
    const auto place = static_cast<size_t>(at);
    const auto dtype = half && place < frame_.outputs.size()
                           ? half->output_dtype(frame_, place)
                           : std::nullopt;
    results.push_back(converted(value(id), id, dtype).text);
  }
  for (const Carried* carried : given_) {
    results.push_back(given_text(*carried));
  }
  if (kept_keys_.first) {
    results.push_back(
        "(" + value(kept_keys_.first).text + ", " +
        value(kept_keys_.second).text + ")");
  } else if (hands_keys_) {
    results.emplace_back(SharedKeys::kName);
  }
  statement("return " + join(results));
  for (ValueId id : frame_.outputs) {
    const std::string& own = context_.trace.info(id).parameter;
    if (context_.flows.of(id) == Flow::Parameter &&
        own.starts_with(frame_.path + ".")) {
      parameter(id);  // for the caller to read
    }
  }
  keep_unread_parameters();
  const std::string& source = frame_.module.object()->cls->name;
  ClassText text = take(context_.short_name(source));
  write_for_each(text.init, text.call, [&](int n) {
    return context_.kept_integer(frame_.module, n);
  });
  text.returns_tensor = results.size() == 1;
  return text;
}

void ModuleWriter::order_init() {
  for (const auto& [name, text] : members_.texts(count_)) {
    initialise(name, text);
  }
  // Scalars, then the submodules as the source has them, then what is ours.
  std::map<std::string, int> order;
  context_.interp.for_each(
      context_.interp.call_method(frame_.module, "named_children"),
      [&](Value pair) {
        const auto& name = pair.get<eval::Tuple>()->items[0].str();
        order.emplace(name, static_cast<int>(order.size()) + 1);
      });
  auto rank = [&](const std::pair<std::string, std::string>& line) {
    if (auto it = order.find(line.first); it != order.end()) {
      return it->second;
    }
    const bool made = line.second.find('(') != std::string::npos &&
                      (line.first == "rope" || line.first == "switch_mlp");
    return made ? 1000 : 0;
  };
  std::stable_sort(init_.begin(), init_.end(), [&](auto& a, auto& b) {
    return rank(a) < rank(b);
  });
}

void ModuleWriter::replace_in_statements(
    size_t from,
    const std::string& text,
    const std::string& by) {
  for (size_t i = from; i < statements_.size(); ++i) {
    if (const size_t at = statements_[i].find(text); at != std::string::npos) {
      statements_[i].replace(at, text.size(), by);
    }
  }
}

size_t ModuleWriter::batch_axis(ValueId id) const {
  const auto& shape = context_.trace.info(id).shape;
  const auto& e = context_.evaluation;
  for (size_t i = 0; i + 1 < shape.size(); ++i) {
    if (shape[i] == e.batch && shape[i + 1] == e.length) {
      return i;
    }
  }
  return 0;
}

ClassText ModuleWriter::take(std::string class_name) {
  ClassText out;
  out.name = std::move(class_name);
  out.init_params = {"args: ModelArgs"};
  order_init();
  for (const auto& [name, text] : init_) {
    out.init.push_back("self." + name + " = " + text);
  }
  out.init.insert(out.init.end(), late_init_.begin(), late_init_.end());
  for (ValueId id : data_inputs_) {
    out.call_params.push_back(names_.at(id) + ": mx.array");
  }
  for (const Carried* carried : taken_) {
    out.call_params.push_back(carried->name + ": Optional[mx.array]");
  }
  if (hands_keys_) {
    out.call_params.push_back(
        std::string(SharedKeys::kName) + ": Optional[Any]");
  }
  if (takes_mask_) {
    out.call_params.emplace_back("mask: Optional[mx.array] = None");
  }
  if (takes_both_) {
    out.call_params.emplace_back("ssm_mask: Optional[mx.array] = None");
  }
  if (takes_cache_) {
    out.call_params.emplace_back("cache: Optional[Any] = None");
  }
  for (ValueId id : optional_inputs_) {
    out.call_params.push_back(names_.at(id) + ": Optional[mx.array] = None");
  }
  if (needs_shape) {
    const size_t dims = data_inputs_.empty() ? 3 : rank(data_inputs_.front());
    const std::string x =
        data_inputs_.empty() ? "x" : names_.at(data_inputs_.front());
    const size_t before =
        data_inputs_.empty() ? 0 : batch_axis(data_inputs_.front());
    std::string sizes = "B, L";
    for (size_t i = 0; i < before; ++i) {
      sizes.insert(0, "_, ");
    }
    out.call.push_back(
        needs_depth ? "B, L, D = " + x + ".shape"
        : dims == 3 ? "B, L, _ = " + x + ".shape"
                    : sizes + " = " + x +
                          ".shape[:" + std::to_string(before + 2) + "]");
    out.call.emplace_back("");
  }
  if (splits_cache_) {
    out.call.emplace_back(
        "cache, index_cache = (None, None) if cache is None else cache");
  }
  if (splits_states()) {
    out.call.emplace_back(
        "state_cache, cache = (None, None) if cache is None else cache");
  }
  out.call.insert(out.call.end(), statements_.begin(), statements_.end());
  spell_own_names(context_, frame_, init_, out);
  out.methods = recurrent_.methods();
  out.frame = &frame_;
  return out;
}

}  // namespace portwright::emit

#include "emit/recurrent_writer.h"

#include <fmt/format.h>

#include "emit/layer_caches.h"
#include "emit/module_writer.h"
#include "eval/code.h"

namespace portwright::emit {

using eval::Value;

namespace {

template <typename Items>
auto with_output(Items& items, ValueId id) {
  return std::find_if(items.begin(), items.end(), [&](const auto& item) {
    return item.form.output == id;
  });
}

/// An argument of the module's constructor, or the attribute of that name.
Value made_with(Context& context, const Value& module, const char* name) {
  const auto it = context.trace.constructions.find(module.object());
  if (it != context.trace.constructions.end()) {
    const auto& params = it->second.function->code->signature.params;
    for (size_t i = 0; i < params.size(); ++i) {
      if (params[i].name.str() == name) {
        const Value& v = it->second.args[i];
        return v.is(eval::Kind::Tuple) ? context.interp.to_vector(v).front()
                                       : v;
      }
    }
  }
  return context.interp.getattr(module, name);
}

const char* activation_text(lift::CausalConv::Activation activation) {
  using Activation = lift::CausalConv::Activation;
  switch (activation) {
    case Activation::None:
      break;
    case Activation::Silu:
      return "nn.silu";
    case Activation::Gelu:
      return "nn.gelu";
    case Activation::GeluTanh:
      return "nn.gelu_approx";
    case Activation::Relu:
      return "nn.relu";
    case Activation::Tanh:
      return "mx.tanh";
    case Activation::Sigmoid:
      return "mx.sigmoid";
  }
  return "";
}

}  // namespace

void RecurrentWriter::find() {
  Context& context = w_.context();
  const base::Stopwatch lifting(context.lift_ms);
  const auto updates = lift::find_state_updates(w_.graph());
  const auto all = updates_of_layer();
  advances_ = !updates.empty() && updates.back().call == all.back();
  std::vector<StepWriter::Update> others;
  for (size_t i = 0; i < updates.size(); ++i) {
    const auto recurrence =
        updates[i].convolution
            ? std::nullopt
            : lift::find_recurrence(context.trace, w_.graph(), updates[i]);
    const auto place = std::find(all.begin(), all.end(), updates[i].call);
    const auto slot = static_cast<int>(place - all.begin());
    if (!(updates[i].convolution
              ? add_convolution(updates[i], slot)
              : recurrence && add_recurrence(*recurrence, slot))) {
      others.push_back({i, slot});
    }
  }
  std::erase_if(others, [&](const StepWriter::Update& update) {
    return add_stepped_convolution(update);
  });
  if (!add_steps(others)) {
    const auto& first = updates[others.front().index];
    context.hole(
        first.call->call,
        first.convolution
            ? "what is computed of these states is no causal convolution"
            : "no function of the source makes this state");
  }
}

bool RecurrentWriter::add_step(const std::vector<StepWriter::Update>& updates) {
  steps_.emplace_back(w_);
  const bool found = steps_.back().find(updates);
  if (!found) {
    steps_.pop_back();
  }
  return found;
}

/// All states are carried on together, or some by themselves before others.
bool RecurrentWriter::add_steps(std::vector<StepWriter::Update> updates) {
  if (!updates.empty() && !add_step(updates)) {
    std::erase_if(updates, [&](const StepWriter::Update& update) {
      return add_step({update});
    });
    if (!updates.empty() && !add_step(updates)) {
      return false;
    }
  }
  if (!steps_.empty() && advances_) {
    steps_.back().advance();
  }
  return true;
}

const StepWriter* RecurrentWriter::step_of(ValueId id) const {
  const auto it =
      std::find_if(steps_.begin(), steps_.end(), [&](const StepWriter& step) {
        return step.owns(id);
      });
  return it == steps_.end() ? nullptr : &*it;
}

/// Those of the layer that the module belongs to.
std::vector<const Frame*> RecurrentWriter::updates_of_layer() const {
  const Frame* frame = w_.graph().frame;
  const Frame* layer = frame;
  while (layer && !is_layer(w_.context(), *layer)) {
    layer = layer->parent;
  }
  return state_updates(layer ? *layer : *frame);
}

bool RecurrentWriter::add_convolution(
    const lift::StateUpdate& update,
    int slot) {
  Context& context = w_.context();
  const auto form = lift::lift_causal_conv(
      context.interp, context.trace, context.flows, w_.graph(), update);
  if (form) {
    convolutions_.push_back({*form, slot});
    channels_last_.start(form->output);
  }
  return form.has_value();
}

/// A convolution as the forward of one token has it.
bool RecurrentWriter::add_stepped_convolution(
    const StepWriter::Update& update) {
  Context& context = w_.context();
  const auto step = lift::find_step(
      context.trace,
      context.flows,
      w_.graph(),
      {update.index},
      context.evaluation.length);
  const auto form =
      step ? lift::lift_causal_conv(context.interp, context.trace, *step)
           : std::nullopt;
  if (form) {
    convolutions_.push_back({*form, update.slot});
    if (form->output_axis == 2) {
      channels_last_.start(form->output);
    }
  }
  return form.has_value();
}

bool RecurrentWriter::add_recurrence(
    const lift::Recurrence& recurrence,
    int slot) {
  Context& context = w_.context();
  if (const auto delta = lift::lift_gated_delta(
          context.interp,
          context.trace,
          context.flows,
          w_.graph(),
          recurrence)) {
    deltas_.push_back({*delta, slot});
  } else if (
      const auto space = lift::lift_state_space(
          context.interp, context.trace, context.flows, recurrence)) {
    spaces_.push_back({*space, slot});
  } else if (
      const auto scan = lift::lift_selective_scan(
          context.interp, context.trace, context.flows, recurrence)) {
    scans_.push_back({*scan, slot});
    channels_last_.start(scan->output);
  } else {
    return false;
  }
  covered_.insert(recurrence.call);
  return true;
}

bool RecurrentWriter::convolves(ValueId id) const {
  return with_output(convolutions_, id) != convolutions_.end();
}

bool RecurrentWriter::owns(ValueId id) const {
  const auto conv = with_output(convolutions_, id);
  const bool plain = conv != convolutions_.end() && conv->form.output_axis == 1;
  return step_of(id) || plain || channels_last_.owns(id) ||
         with_output(deltas_, id) != deltas_.end() ||
         with_output(spaces_, id) != spaces_.end();
}

std::optional<std::vector<ValueId>> RecurrentWriter::dependencies(
    ValueId id) const {
  if (const StepWriter* step = step_of(id)) {
    return step->dependencies();
  }
  if (auto c = with_output(convolutions_, id); c != convolutions_.end()) {
    return std::vector<ValueId>{c->form.input};
  }
  if (auto d = with_output(deltas_, id); d != deltas_.end()) {
    const lift::GatedDelta& f = d->form;
    return std::vector<ValueId>{
        f.queries,
        f.keys,
        f.values,
        f.a ? f.a : f.decay,
        f.a && f.b ? f.b : f.beta};
  }
  if (auto s = with_output(spaces_, id); s != spaces_.end()) {
    const lift::StateSpace& f = s->form;
    return std::vector<ValueId>{f.x, f.dt, f.b, f.c};
  }
  if (auto s = with_output(scans_, id); s != scans_.end()) {
    const lift::SelectiveScan& f = s->form;
    const ValueId step = linear_input(f);
    return std::vector<ValueId>{f.x, step ? step : f.dt, f.b, f.c, f.gate};
  }
  return {};
}

Expression RecurrentWriter::produce(ValueId id) {
  for (StepWriter& step : steps_) {
    if (step.owns(id)) {
      return step.produce(id);
    }
  }
  if (auto c = with_output(convolutions_, id);
      c != convolutions_.end() && c->form.output_axis == 1) {
    write_convolution(*c);
    return w_.value(id);
  }
  if (auto d = with_output(deltas_, id); d != deltas_.end()) {
    write_delta(*d);
    return w_.value(id);
  }
  if (auto s = with_output(spaces_, id); s != spaces_.end()) {
    write_space(*s);
    return w_.value(id);
  }
  return channels_last_.produce(id, [&](ValueId output) {
    const auto conv = with_output(convolutions_, output);
    conv != convolutions_.end() ? write_convolution(*conv)
                                : write_scan(*with_output(scans_, output));
  });
}

/// `self.conv1d`, made as the source makes it.
std::string RecurrentWriter::conv_member(const lift::CausalConv& form) {
  Context& context = w_.context();
  const std::string path = w_.owner_of(form.weight);
  const Value module = context.module(path);
  if (path.empty() || !module.defined() ||
      !context.interp.try_getattr(module, "kernel_size").defined()) {
    context.hole(
        w_.graph().frame->call,
        "a convolution's weight is not that of a submodule");
  }
  const std::string channels =
      w_.scalar(made_with(context, module, "in_channels")).text;
  const std::string kernel =
      w_.scalar(made_with(context, module, "kernel_size")).text;
  const Value bias = made_with(context, module, "bias");
  const bool optional = bias.provenance() && !bias.is_object();
  const std::string name = path.substr(path.rfind('.') + 1);
  w_.initialise(
      name,
      fmt::format(
          "nn.Conv1d({0}, {0}, {1}, groups={0}, bias={2})",
          channels,
          kernel,
          optional    ? context.args_text(bias)
          : form.bias ? "True"
                      : "False"));
  context.convolutions.insert(name);
  const bool last = advances_ && deltas_.empty() && spaces_.empty() &&
                    scans_.empty() && steps_.empty();
  std::string call_text = "self." + name + "(x)";
  if (const char* function = activation_text(form.activation); *function) {
    call_text = std::string(function) + "(" + call_text + ")";
  }
  const trace::Twin* half = context.evaluation.half;
  if (half && half->dtype(form.weight) == torch::Dtype::Float32 &&
      half->dtype(form.input) != torch::Dtype::Float32) {
    call_text += ".astype(x.dtype)";  // by weights that stay in float32
  }
  const int slot = with_output(convolutions_, form.output)->slot;
  methods_.push_back(fmt::format(
      "def _convolve(self, x, mask, cache):\n"
      "    B, L, D = x.shape\n"
      "    if mask is not None:\n"
      "        x = mx.where(mask[..., None], x, 0)\n"
      "    n_keep = {0} - 1\n"
      "    if cache is not None and cache[{1}] is not None:\n"
      "        state = cache[{1}]\n"
      "    else:\n"
      "        state = mx.zeros((B, n_keep, D), dtype=x.dtype)\n"
      "    x = mx.concatenate([state, x], axis=1)\n"
      "    if cache is not None:\n"
      "        if cache.lengths is not None:\n"
      "            ends = mx.clip(cache.lengths, 0, L)\n"
      "            positions = (ends[:, None] + mx.arange(n_keep))[..., None]\n"
      "            cache[{1}] = mx.take_along_axis(x, positions, axis=1)\n"
      "        else:\n"
      "            cache[{1}] = mx.contiguous(x[:, L:])\n"
      "{2}"
      "    return {3}\n",
      kernel,
      slot,
      last ? "        cache.advance(L)\n" : "",
      call_text));
  return name;
}

void RecurrentWriter::write_convolution(const Convolution& conv) {
  if (convolutions_.size() > 1) {
    w_.context().hole(
        w_.graph().frame->call, "a module with several convolutions' states");
  }
  const lift::CausalConv& f = conv.form;
  Expression x =
      f.input_axis == 2 ? channels_last_.of(f.input) : w_.value(f.input);
  const trace::Twin* half = w_.context().evaluation.half;
  constexpr const char* kWide = ".astype(mx.float32)";
  if (half && half->dtype(f.input) == torch::Dtype::Float32 &&
      !x.text.ends_with(kWide)) {
    x = {x.at(kPrimary) + kWide, kPrimary};
  }
  conv_member(conv.form);
  const std::string name = w_.fresh(w_.house_of(conv.form.output));
  w_.statement(
      name + " = self._convolve(" + x.text + ", " + w_.state_mask() + ", " +
      w_.state_cache() + ")");
  f.output_axis == 2 ? channels_last_.bind(f.output, name)
                     : w_.bind(f.output, name);
}

/// Queries and keys as the shared function takes them.
std::pair<std::string, std::string> RecurrentWriter::unit_queries(
    const lift::GatedDelta& f) {
  if (!f.unit && !f.scaled) {
    return {w_.value(f.queries).text, w_.value(f.keys).text};
  }
  const std::string q = w_.name(f.queries), k = w_.name(f.keys);
  const std::string queries = w_.uses(f.queries) > 1 ? w_.fresh(q) : q;
  const std::string depth = k + ".shape[-1]";
  if (!f.unit) {
    w_.statement(fmt::format("{} = {} * {}**-0.5", queries, q, depth));
    return {queries, k};
  }
  const std::string keys = w_.uses(f.keys) > 1 ? w_.fresh(k) : k;
  w_.context().imports.insert("gated_delta:normalize_qk");
  w_.statement(fmt::format(
      "{}, {} = normalize_qk({}, {}, inv_scale={}**-0.5, eps={:g})",
      queries,
      keys,
      q,
      k,
      depth,
      f.eps));
  if (!f.scaled) {
    w_.statement(fmt::format("{0} = {0} * {1}**0.5", queries, depth));
  }
  return {queries, keys};
}

void RecurrentWriter::write_delta(const Delta& delta) {
  const lift::GatedDelta& f = delta.form;
  const auto [queries, keys] = unit_queries(f);
  const std::string values = w_.value(f.values).text;
  std::vector<std::string> args{queries, keys, values};
  std::string function = "gated_delta_update";
  if (f.a && f.b) {
    for (ValueId id : {f.a, f.b, f.a_log, f.dt_bias}) {
      args.push_back(w_.value(id).text);
    }
    args.insert(
        args.end(), {"state", w_.state_mask(), "use_kernel=not self.training"});
    if (f.doubled) {
      args.emplace_back("allow_neg_eigval=True");
    }
  } else {
    function = "gated_delta_ops";
    args.push_back("mx.exp(" + w_.value(f.decay).text + ")");
    args.push_back(w_.value(f.beta).text);
    args.insert(args.end(), {"state", w_.state_mask()});
  }
  w_.context().imports.insert("gated_delta:" + function);
  write_state(function + "(" + join(args) + ")", f.output, delta.slot);
}

/// Two numbers: a field of the config, or one each.
std::string RecurrentWriter::pair_text(const Value& pair) {
  if (pair.provenance()) {
    return w_.scalar(pair).text;
  }
  const auto items = w_.context().interp.to_vector(pair);
  return "(" + w_.scalar(items[0]).text + ", " + w_.scalar(items[1]).text + ")";
}

void RecurrentWriter::write_space(const Space& space) {
  const lift::StateSpace& f = space.form;
  std::vector<std::string> args;
  for (ValueId id : {f.x, f.a_log, f.b, f.c, f.d, f.dt, f.dt_bias}) {
    // The shared function takes the logarithm of what decays.
    args.push_back(
        id ? w_.value(id).text : "mx.log(-" + w_.value(f.a).at(kPrimary) + ")");
  }
  args.emplace_back("state");
  args.push_back(
      f.limits.defined() ? pair_text(f.limits) : std::string("(0.0, mx.inf)"));
  args.push_back(w_.state_mask());
  // Beyond the tokens that it is given, ssm_update would read what is not
  // there.
  const std::string lengths = w_.fresh("lengths");
  const std::string cache = w_.state_cache();
  w_.statement(fmt::format(
      "{0} = {1}.lengths if {1} is not None else None", lengths, cache));
  w_.statement("if " + lengths + " is not None:");
  w_.statement(fmt::format("    {0} = mx.minimum({0}, L)", lengths));
  args.push_back(lengths);
  w_.context().imports.insert("ssm:ssm_update");
  write_state("ssm_update(" + join(args) + ")", f.output, space.slot);
}

/// X where dt + dt_bias is a linear layer of X; else 0.
ValueId RecurrentWriter::linear_input(const lift::SelectiveScan& f) const {
  const Context& context = w_.context();
  const auto it =
      w_.graph().producers.find(lift::unconverted(w_.graph(), f.dt));
  const OpNode* op = it == w_.graph().producers.end() ? nullptr : it->second.op;
  if (!op || op->op->name != "matmul") {
    return 0;
  }
  const std::string owner = w_.owner_of(op->inputs[0]);
  return !owner.empty() &&
                 context.trace.info(f.dt_bias).parameter == owner + ".bias"
             ? op->inputs[1]
             : 0;
}

std::string RecurrentWriter::time_step(const lift::SelectiveScan& f) {
  Context& context = w_.context();
  if (const ValueId input = linear_input(f)) {
    const OpNode& op =
        *w_.graph().producers.at(lift::unconverted(w_.graph(), f.dt)).op;
    const std::string owner = w_.owner_of(op.inputs[0]);
    const std::string made = linear_constructor(context, context.module(owner));
    if (!made.empty()) {
      const std::string name = owner.substr(owner.rfind('.') + 1);
      w_.initialise(name, made);
      return "self." + name + "(" + channels_last_.of(input).text + ")";
    }
  }
  return infix(channels_last_.of(f.dt), "+", w_.value(f.dt_bias)).text;
}

void RecurrentWriter::write_scan(const Scan& scan) {
  const lift::SelectiveScan& f = scan.form;
  std::vector<std::string> args{channels_last_.of(f.x).text};
  args.push_back("nn.softplus(" + time_step(f) + ")");
  args.push_back(channels_last_.of(f.b).text);
  args.push_back(channels_last_.of(f.c).text);
  args.insert(args.end(), {"state", w_.state_mask()});
  write_state("self._scan(" + join(args) + ")", f.output, scan.slot);
  const std::string out = w_.value(f.output).text;
  w_.forget(f.output);
  w_.context().imports.insert("activations:swiglu");
  w_.statement(
      out + " = swiglu(" + channels_last_.of(f.gate).text + ", " + out + ")");
  channels_last_.bind(f.output, out);
  methods_.push_back(fmt::format(
      "def _scan(self, x, dt, B, C, state, mask):\n"
      "    A = -mx.exp({0}.astype(mx.float32))\n"
      "    if mask is not None:\n"
      "        dt = mx.where(mask[..., None], dt, 0)\n"
      "    if state is None:\n"
      "        state = mx.zeros((x.shape[0], *A.shape), dtype=mx.float32)\n"
      "    y = []\n"
      "    for t in range(x.shape[1]):\n"
      "        step = dt[:, t, :, None]\n"
      "        update = step * x[:, t, :, None] * B[:, t, None]\n"
      "        state = mx.exp(step * A) * state + update\n"
      "        y.append((state @ C[:, t, :, None]).squeeze(-1))\n"
      "    y = mx.stack(y, axis=1) + {1} * x\n"
      "    return y.astype(x.dtype), state\n",
      w_.value(f.a_log).text,
      w_.value(f.d).text));
}

Expression RecurrentWriter::positions() {
  w_.needs_shape = true;
  const std::string cache = w_.state_cache(), mask = w_.state_mask();
  const std::string seen =
      fmt::format("{}[{}]", cache, updates_of_layer().size());
  w_.open_with(
      "seen = " + seen + " if " + cache + " is not None else None", "seen");
  w_.open_with(
      "new = mx.ones((B, L)) if " + mask + " is None else " + mask, "new");
  w_.open_with(
      "positions = mx.cumsum(new.astype(mx.int32), axis=1) - 1", "positions");
  w_.open_with("if seen is not None:", "if seen is not None:");
  w_.open_with("    positions = positions + seen", "positions + seen");
  const std::string kept = "if " + cache + " is not None:";
  w_.open_with(kept, kept);
  w_.open_with("    " + seen + " = positions[:, -1:] + 1", seen);
  return {"positions", kPrimary};
}

/// `output, state = call`, and the state kept.
void RecurrentWriter::write_state(
    const std::string& call,
    ValueId output,
    int slot) {
  w_.needs_shape = true;
  const std::string name = w_.fresh("out");
  const std::string cache = w_.state_cache();
  w_.statement(fmt::format(
      "state = {0}[{1}] if {0} is not None else None", cache, slot));
  w_.statement(name + ", state = " + call);
  w_.statement("if " + cache + " is not None:");
  w_.statement(fmt::format("    {}[{}] = state", cache, slot));
  if (advances_) {
    w_.statement("    " + cache + ".advance(L)");
  }
  w_.bind(output, name);
}

}  // namespace portwright::emit

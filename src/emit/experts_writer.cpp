#include <functional>

#include <fmt/format.h>

#include "emit/activations.h"
#include "emit/model_writer.h"
#include "emit/statements.h"

namespace portwright::emit {

using eval::Value;
using lift::Experts;
using Activation = Experts::Activation;

namespace {

bool is_digits(const std::string& text) {
  return text.find_first_not_of("0123456789") == std::string::npos;
}

/// True when a module computes a value in float32, whatever its inputs.
bool is_computed_in_float32(
    const Trace& trace,
    const lift::Graph& graph,
    ValueId id) {
  std::set<ValueId> seen;
  std::function<bool(ValueId)> visit = [&](ValueId v) {
    const auto& info = trace.info(v);
    if (!seen.insert(v).second || !info.producer ||
        !graph.producers.contains(v)) {
      return false;
    }
    const std::string& name = info.producer->op->name;
    if (name == "float" || name == "to" || name == "type") {
      return info.dtype == torch::Dtype::Float32;
    }
    for (ValueId input : info.producer->inputs) {
      if (trace.info(input).dtype == torch::Dtype::Float32 && visit(input)) {
        return true;
      }
    }
    return false;
  };
  return visit(id);
}

}  // namespace

std::string
ModuleWriter::expert_size(const Value& holder, const Frame& experts, int size) {
  // The router beside them may be the one to keep it.
  std::vector<Value> modules{holder, experts.module, frame_.module};
  for (const Frame* call : graph_.calls) {
    modules.push_back(call->module);
  }
  for (const Value& module : modules) {
    const std::string text = context_.kept_integer(module, size);
    if (!text.empty() && !is_digits(text)) {
      return text;
    }
  }
  if (const std::string text = context_.integer_text(holder, size);
      !is_digits(text)) {
    return text;
  }
  context_.hole(
      experts.call,
      fmt::format(
          "the size {} of '{}' is no field of the config", size, experts.path));
}

/// `activation=...` of the switch layer; "" for its default.
std::string ModuleWriter::expert_activation(
    const Frame& child,
    const Experts& experts) {
  switch (experts.activation) {
    case Activation::Swiglu:
    case Activation::GeluApprox:
      return "";
    case Activation::SwigluOai:
      context_.imports.insert("activations:SwigluOAI");
      return fmt::format(
          "SwigluOAI({}, {})",
          context_.args_text(experts.alpha),
          context_.args_text(experts.limit));
    case Activation::Relu2:
      return "nn.ReLU2()";
    case Activation::Gelu:
      return "nn.GELU()";
    case Activation::Silu:
      return "nn.SiLU()";
    case Activation::Relu:
      return "nn.ReLU()";
    case Activation::Other:
      break;
  }
  // Experts that run one after the other are modules of their own.
  const Frame* inside =
      module_around(context_.trace.info(experts.hidden).frame);
  ModuleWriter writer(context_, inside ? *inside : child);
  writer.bind(experts.gate, experts.up ? "gate" : "x");
  if (experts.up) {
    writer.bind(experts.up, "x");
  }
  writer.count_uses({experts.hidden});
  const Expression result = writer.value(experts.hidden);
  writer.statement("return " + result.text);
  ClassText text = writer.take("ExpertActivation");
  text.call_params = {"x: mx.array"};
  if (experts.up) {
    text.call_params.emplace_back("gate: mx.array");
  }
  const bool plain = text.init.empty();
  if (plain) {
    text.init_params.clear();
  }
  const std::string made =
      plain ? text.name + "()" : text.name + "(args" + kIndexMark + ")";
  context_.classes.push_back(std::move(text));
  return made;
}

void ModuleWriter::keep_expert_weights(
    const Frame& child,
    const Experts& experts,
    const std::string& count) {
  const std::string layer = context_.layers_path + ".";
  auto below_layer = [&](const std::string& path) {
    const size_t dot = path.find('.', layer.size());
    return path.starts_with(layer) && dot != std::string::npos
               ? path.substr(dot + 1)
               : path;
  };
  const std::string list = experts.list();
  const std::string held = list.empty()         ? child.path
                           : child.path.empty() ? list
                                                : child.path + "." + list;
  ExpertWeights weights{
      below_layer(held),
      below_layer(
          frame_.path.empty() ? "switch_mlp" : frame_.path + ".switch_mlp"),
      count,
      experts};
  const bool known = std::any_of(
      context_.experts.begin(), context_.experts.end(), [&](const auto& e) {
        return e.source == weights.source;
      });
  if (!known) {
    context_.experts.push_back(std::move(weights));
  }
}

Expression ModuleWriter::call_experts(
    const Frame& child,
    const Experts& experts) {
  const Value holder = experts.list().empty()
                           ? child.module
                           : context_.module(
                                 (child.path.empty() ? "" : child.path + ".") +
                                 experts.list() + ".0");
  auto size = [&](int n) { return expert_size(holder, child, n); };
  const std::string count = size(experts.experts);
  const char* layer =
      experts.gating == Experts::Gating::None ? "SwitchMLP" : "SwitchGLU";
  context_.imports.insert(fmt::format("switch_layers:{}", layer));
  std::vector<std::string> args{
      size(experts.hidden_size), size(experts.intermediate), count};
  if (const auto activation = expert_activation(child, experts);
      !activation.empty()) {
    args.push_back("activation=" + activation);
  }
  const bool looked_up = experts.activation == Activation::Other &&
                         any_has(context_.classes.back().call, "ACTIVATIONS[");
  if (!looked_up) {
    note_specialised(context_, child);
  }
  if (!experts.last.bias.empty()) {
    args.emplace_back("bias=True");
  }
  initialise("switch_mlp", call(layer, std::move(args)).text);
  keep_expert_weights(child, experts, count);

  // Else the indices are those of rows.
  const bool rows =
      rank(experts.input) == rank(experts.indices) + (experts.single ? 1 : 0);
  Expression x = value(experts.input);
  if (!rows) {
    x = {fmt::format("{0}.reshape(-1, {0}.shape[-1])", x.text), kPrimary};
  }
  std::string inds = value(experts.indices).text;
  Expression scores = experts.weights ? value(experts.weights) : Expression{};
  std::string passes;
  if (experts.identities > 0) {
    initialise("num_experts", count);
    inds = name(experts.indices);
    if (rows) {
      x = {name(experts.input), kPrimary};
    }
    passes = fresh("identity");
    statement(passes + " = " + inds + " >= self.num_experts");
    inds = fmt::format("mx.where({}, 0, {})", passes, inds);
  }
  if (experts.weighs_all || experts.single) {
    inds = inds == names_[experts.indices] ? inds : name(experts.indices);
  }
  inds += experts.single ? "[..., None]" : "";
  if (experts.weighs_all) {
    scores = call("mx.take_along_axis", {scores.text, inds, "axis=-1"});
  }
  const std::string y = fresh("y");
  statement(fmt::format("{} = self.switch_mlp({}, {})", y, x.text, inds));
  if (!passes.empty()) {
    statement(fmt::format(
        "{0} = mx.where({1}[..., None], mx.expand_dims({2}, -2), {0})",
        y,
        passes,
        x.text));
  }
  const bool each = experts.single && !experts.weighs_all;
  const char* form = !experts.weights
                         ? each ? "{}.squeeze(-2)" : "{}.sum(axis=-2)"
                     : each ? "({}.squeeze(-2) * {}[..., None])"
                            : "({} * {}[..., None]).sum(axis=-2)";
  Expression sum{
      fmt::format(
          fmt::runtime(form),
          y,
          experts.weights ? scores.at(kPrimary) : std::string()),
      kPrimary};
  if (experts.weights &&
      (context_.evaluation.half
           ? is_wide(experts.weights)
           : is_computed_in_float32(context_.trace, graph_, experts.weights))) {
    sum.text += fmt::format(".astype({}.dtype)", y);
  }
  if (!rows) {
    sum.text += fmt::format(".reshape({}.shape)", value(experts.input).text);
  }
  return sum;
}

}  // namespace portwright::emit

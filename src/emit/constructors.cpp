#include "emit/group_choice.h"
#include "emit/latents.h"
#include "emit/module_writer.h"
#include "emit/operations.h"
#include "lift/affine.h"
#include "lift/norm.h"

namespace portwright::emit {

using eval::Value;

namespace {

/// A constructor argument by the parameter's name; Undefined when unknown.
Value construction_argument(
    const Context& context,
    const Value& module,
    std::string_view name) {
  auto it = context.trace.constructions.find(module.object());
  if (it == context.trace.constructions.end()) {
    return {};
  }
  const auto& params = it->second.function->code->signature.params;
  for (size_t i = 0; i < params.size(); ++i) {
    if (params[i].name.str() == name) {
      return it->second.args[i];
    }
  }
  return {};
}

bool is_torch_class(Context& context, const Value& module, const char* name) {
  const Value nn(context.interp.import_module("torch.nn"));
  const Value cls = context.interp.getattr(nn, name);
  // The exact class: a subclass may compute something else.
  return module.object()->cls == cls.get<eval::Class>();
}

std::string argument_text(
    Context& context,
    const Value& module,
    const char* parameter,
    const char* attribute) {
  Value v = construction_argument(context, module, parameter);
  if (!v.defined()) {
    v = context.interp.getattr(module, attribute);
  }
  return context.args_text(v);
}

std::string linear(Context& context, const Value& module) {
  std::vector<std::string> args{
      argument_text(context, module, "in_features", "in_features"),
      argument_text(context, module, "out_features", "out_features")};
  const Value bias = construction_argument(context, module, "bias");
  const bool has_bias = !context.interp.getattr(module, "bias").is_none();
  if (bias.defined() && bias.provenance()) {
    args.push_back("bias=" + context.args_text(bias));
  } else if (!has_bias) {
    args.emplace_back("bias=False");
  } else {
    args.emplace_back("bias=True");
  }
  return "nn.Linear(" + join(args) + ")";
}

/// The size argument of a norm: the constructor's argument with that value.
std::string dims_text(Context& context, const Value& module, int dims) {
  auto it = context.trace.constructions.find(module.object());
  if (it != context.trace.constructions.end()) {
    for (const Value& arg : it->second.args) {
      if (arg.is_int() && arg.as_int() == dims) {
        return context.args_text(arg);
      }
      if (arg.is(eval::Kind::Tuple) || arg.is(eval::Kind::List)) {
        const auto items = context.interp.to_vector(arg);
        if (items.size() == 1 && items[0].as_int() == dims) {
          return context.args_text(items[0]);
        }
      }
    }
  }
  return std::to_string(dims);
}

const char* kRmsNormPlusOne =
    "return mx.fast.rms_norm(x, 1.0 + self.weight, self.eps)";

std::string offset_norm(Context& context) {
  for (const auto& c : context.classes) {
    if (c.name == "RMSNorm") {
      return c.name;
    }
  }
  ClassText norm;
  norm.name = "RMSNorm";
  norm.init_params = {"dims: int", "eps: float = 1e-6"};
  norm.init = {"self.weight = mx.ones((dims,))", "self.eps = eps"};
  norm.call_params = {"x: mx.array"};
  norm.call = {kRmsNormPlusOne};
  context.classes.push_back(norm);
  return norm.name;
}

std::string
norm_text(Context& context, const Value& module, const lift::Norm& norm) {
  const std::string dims = dims_text(context, module, norm.dims);
  const std::string eps = context.args_text(norm.eps);
  switch (norm.kind) {
    case lift::Norm::Kind::Rms:
      return "nn.RMSNorm(" + dims + ", eps=" + eps + ")";
    case lift::Norm::Kind::RmsPlusOne:
      return offset_norm(context) + "(" + dims + ", eps=" + eps + ")";
    case lift::Norm::Kind::Layer: {
      std::string text = "nn.LayerNorm(" + dims + ", eps=" + eps;
      const Value bias = construction_argument(context, module, "bias");
      if (bias.defined() && bias.provenance()) {
        text += ", bias=" + context.args_text(bias);
      } else if (!norm.has_bias) {
        text += ", bias=False";
      }
      return text + ")";
    }
    case lift::Norm::Kind::RmsPlain:
      break;
  }
  return "";
}

std::optional<std::string> norm_constructor(
    Context& context,
    const Frame& frame) {
  const base::Stopwatch lifting(context.lift_ms);
  const auto norm =
      lift::lift_norm(context.interp, context.trace, context.flows, frame);
  if (!norm || norm->kind == lift::Norm::Kind::RmsPlain) {
    return {};
  }
  return norm_text(context, frame.module, *norm);
}

ValueId parameter_id(const Context& context, const std::string& path) {
  for (ValueId id = 1; id < context.trace.values.size(); ++id) {
    if (context.trace.info(id).parameter == path) {
      return id;
    }
  }
  return 0;
}

/// x W + b: the class has W in the checkpoint's orientation, since a transposed
/// square could not be told from one still to be transposed; hold_matrices()
/// puts it under a name of its own.
std::optional<std::string> affine_constructor(
    Context& context,
    const Frame& frame) {
  const auto kind = [&] {
    const base::Stopwatch lifting(context.lift_ms);
    return lift::lift_affine(context.interp, frame.module);
  }();
  if (kind == lift::Affine::None) {
    return {};
  }
  const ValueId weight = parameter_id(context, frame.path + ".weight");
  const auto sizes = ModuleWriter(context, frame).size_texts(weight);
  const bool bias = parameter_id(context, frame.path + ".bias");
  if (kind == lift::Affine::Linear) {
    return "nn.Linear(" + sizes[1] + ", " + sizes[0] +
           (bias ? ")" : ", bias=False)");
  }
  const std::string name = context.short_name(frame.module.object()->cls->name);
  const bool known =
      std::any_of(context.classes.begin(), context.classes.end(), [&](auto& c) {
        return c.name == name;
      });
  if (!known) {
    ClassText text;
    text.name = name;
    text.frame = &frame;
    text.init_params = {"input_dims: int", "output_dims: int"};
    text.init = {"self.weight = mx.zeros((input_dims, output_dims))"};
    text.call_params = {"x: mx.array"};
    text.call = {"return x @ self.weight"};
    if (bias) {
      text.init.emplace_back("self.bias = mx.zeros((output_dims,))");
      text.call = {"return mx.addmm(self.bias, x, self.weight)"};
    }
    context.classes.push_back(text);
  }
  return name + "(" + sizes[0] + ", " + sizes[1] + ")";
}

/// Puts a parameter's name for `text` where that is a whole expression.
bool name_expression(
    std::string& line,
    const std::string& text,
    const std::string& name) {
  bool found = false;
  for (size_t at = 0; (at = line.find(text, at)) != std::string::npos;) {
    const size_t end = at + text.size();
    const bool whole =
        at > 0 &&
        (line[at - 1] == '(' || line.compare(at - 2, 2, ", ") == 0 ||
         line.compare(at - 2, 2, "= ") == 0) &&
        (end == line.size() || line[end] == ')' || line[end] == ',');
    if (whole) {
      line.replace(at, text.size(), name);
      found = true;
    }
    at += whole ? name.size() : text.size();
  }
  return found;
}

/// Sizes that the source hands to the constructor are parameters of the class
/// too, so that instances of two sizes are one class. Answers the arguments.
std::vector<std::string>
size_parameters(Context& context, const Value& module, ClassText& text) {
  std::vector<std::string> out;
  auto it = context.trace.constructions.find(module.object());
  if (it == context.trace.constructions.end()) {
    return out;
  }
  const auto& params = it->second.function->code->signature.params;
  for (size_t i = 1; i < params.size() && i < it->second.args.size(); ++i) {
    const std::string& name = params[i].name.str();
    Value v = it->second.args[i];
    if (v.is_none()) {  // the constructor's own choice, kept under that name
      v = context.interp.try_getattr(module, name);
    }
    if (!v.defined() || !v.is_int() || v.is_bool() || !v.provenance() ||
        v.provenance()->kind == eval::Provenance::Kind::Loop) {
      continue;
    }
    const std::string argument = context.args_text(v);
    bool used = false;
    for (auto& line : text.init) {
      used = name_expression(line, argument, name) || used;
    }
    if (used) {
      text.init_params.push_back(name + ": int");
      out.push_back(name + "=" + argument);
    }
  }
  return out;
}

}  // namespace

std::string linear_constructor(Context& context, const Value& module) {
  return is_torch_class(context, module, "Linear") ? linear(context, module)
                                                   : "";
}

namespace {

/// mlx.nn's modules compute with weights as they are loaded.
void refuse_other_weights(Context& context, const Frame& frame) {
  for (const auto& item : frame.items) {
    const auto* op = std::get_if<OpNode>(&item);
    for (size_t i = 1; op && i < op->inputs.size(); ++i) {
      if (context.trace.info(op->inputs[i]).parameter.empty()) {
        context.hole(
            frame.call,
            "'" + frame.path +
                "' computes with a weight that the forward changes");
      }
    }
  }
}

}  // namespace

std::string constructor_of(
    Context& context,
    const Frame& frame,
    const std::vector<ValueId>& outputs) {
  const Value& module = frame.module;
  if (is_torch_class(context, module, "Linear")) {
    refuse_other_weights(context, frame);
    return linear(context, module);
  }
  if (is_torch_class(context, module, "Embedding")) {
    return "nn.Embedding(" +
           argument_text(context, module, "num_embeddings", "num_embeddings") +
           ", " +
           argument_text(context, module, "embedding_dim", "embedding_dim") +
           ")";
  }
  if (auto norm = norm_constructor(context, frame)) {
    return *norm;
  }
  if (auto affine = affine_constructor(context, frame)) {
    return *affine;
  }
  ClassText text = ModuleWriter(context, frame).write(outputs);
  write_to_other_groups(text);
  if (const auto latent = keep_latents(text)) {
    context.needs_mask_array = true;
    context.imports.insert("mla:MultiLinear");
    add_unknown(context.latents, *latent);
  }
  std::string made = text.name + "(args" + kIndexMark;
  for (const auto& size : size_parameters(context, module, text)) {
    made += ", " + size;
  }
  context.classes.push_back(std::move(text));
  return made + ")";
}

}  // namespace portwright::emit

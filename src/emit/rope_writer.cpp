#include <cmath>

#include "emit/operations.h"

namespace portwright::emit {

using eval::Value;

namespace {

bool same(const lift::Rope& a, const lift::Rope& b) {
  if (a.dims != b.dims || a.traditional != b.traditional ||
      std::abs(a.magnitude - b.magnitude) > 1e-6) {
    return false;
  }
  for (size_t i = 0; i < a.frequencies.size(); ++i) {
    if (std::abs(a.frequencies[i] - b.frequencies[i]) >
        2e-6 * std::abs(a.frequencies[i]) + 1e-9) {
      return false;
    }
  }
  return true;
}

/// The source makes frequencies with arange(0, dims, 2): its `dims` says which
/// fields it comes from.
const eval::Provenance* dims_provenance(const Frame& frame, int64_t dims) {
  for (const auto& item : frame.items) {
    if (const auto* op = std::get_if<OpNode>(&item)) {
      if (op->op->name == "arange") {
        for (const Value& arg : op->args) {
          if (arg.is_int() && arg.as_int() == dims && arg.provenance()) {
            return arg.provenance();
          }
        }
      }
    } else if (const auto* child = std::get_if<std::unique_ptr<Frame>>(&item)) {
      if (const auto* found = dims_provenance(**child, dims)) {
        return found;
      }
    }
  }
  return nullptr;
}

std::optional<double> theta_of(const Value& parameters) {
  if (!parameters.is(eval::Kind::Dict)) {
    return {};
  }
  Value* theta = parameters.get<eval::Dict>()->find("rope_theta");
  return theta && theta->is_number() ? std::optional(theta->as_double())
                                     : std::nullopt;
}

int64_t layer_of(const Context& context, const Frame& frame) {
  const std::string prefix = context.layers_path + ".";
  return frame.path.starts_with(prefix)
             ? std::atoll(frame.path.c_str() + prefix.size())
             : -1;
}

/// Where the rotation's parameters stand in ModelArgs: "" for rope_theta and
/// rope_scaling, or an expression for parameters by kind of layer. A hole when
/// the rotation is not the one they describe.
std::string matching_parameters(
    Context& context,
    const Frame& frame,
    const lift::Rope& rope) {
  eval::Interpreter& interp = context.interp;
  const Value& config = context.evaluation.config;
  const Value parameters = interp.try_getattr(config, "rope_parameters");
  auto fits = [&](std::optional<double> theta) {
    return theta && rope.has_base(*theta) &&
           std::abs(rope.magnitude - 1) < 1e-6;
  };
  if (fits(theta_of(parameters))) {
    return "";
  }
  const Value kinds = interp.try_getattr(config, "layer_types");
  const int64_t layer = layer_of(context, frame);
  if (parameters.is(eval::Kind::Dict) && kinds.is(eval::Kind::List) &&
      layer >= 0) {
    const Value& kind = kinds.get<eval::List>()->items.at(layer);
    Value* own = parameters.get<eval::Dict>()->find(kind.str());
    if (own && fits(theta_of(*own))) {
      return "args.rope_parameters[args.layer_types[layer_idx]]";
    }
  }
  context.hole(
      frame.call,
      "the rotary embedding of '" + frame.path +
          "' is not the default one of its rope_theta");
}

}  // namespace

void write_rope(
    ModuleWriter& writer,
    const Frame& frame,
    const std::optional<lift::Rope>& queries,
    const std::optional<lift::Rope>& keys) {
  Context& context = writer.context();
  if (!queries && !keys) {
    return;
  }
  if (!queries || !keys || !same(*queries, *keys)) {
    context.hole(
        frame.call,
        "queries and keys of '" + frame.path + "' are rotated differently");
  }
  const std::string source = matching_parameters(context, frame, *queries);
  const auto* provenance = dims_provenance(context.trace.root, queries->dims);
  const std::string dims = provenance ? context.args_text(provenance)
                                      : std::to_string(queries->dims);
  context.fields.insert("max_position_embeddings");
  context.imports.insert("rope_utils:initialize_rope");
  const bool by_kind = !source.empty();
  if (by_kind) {
    context.rope_by_kind = true;
    context.fields.insert("layer_types");
    writer.use_layer_index();
  } else {
    context.fields.insert("rope_theta");
    context.fields.insert("rope_scaling");
  }
  writer.initialise(
      "rope",
      "initialize_rope(" + dims + ", base=" +
          (by_kind ? source + "[\"rope_theta\"]" : "args.rope_theta") +
          ", traditional=" + (queries->traditional ? "True" : "False") +
          ", scaling_config=" + (by_kind ? source : "args.rope_scaling") +
          ", max_position_embeddings=args.max_position_embeddings)");
}

}  // namespace portwright::emit

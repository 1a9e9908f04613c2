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

} // namespace

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
  const Value parameters =
      context.interp.try_getattr(context.evaluation.config, "rope_parameters");
  Value theta;
  if (parameters.is(eval::Kind::Dict)) {
    if (Value* found = parameters.get<eval::Dict>()->find("rope_theta")) {
      theta = *found;
    }
  }
  if (!theta.is_number() || !queries->has_base(theta.as_double()) ||
      std::abs(queries->magnitude - 1) > 1e-6) {
    context.hole(
        frame.call,
        "the rotary embedding of '" + frame.path +
            "' is not the default one of its rope_theta");
  }
  const auto* provenance = dims_provenance(context.trace.root, queries->dims);
  const std::string dims =
      provenance ? context.args_text(provenance)
                 : std::to_string(queries->dims);
  for (const char* field :
       {"rope_theta", "rope_scaling", "max_position_embeddings"}) {
    context.fields.insert(field);
  }
  context.imports.insert("rope_utils:initialize_rope");
  writer.initialise(
      "rope",
      "initialize_rope(" + dims + ", base=args.rope_theta, traditional=" +
          (queries->traditional ? "True" : "False") +
          ", scaling_config=args.rope_scaling, "
          "max_position_embeddings=args.max_position_embeddings)");
}

} // namespace portwright::emit

#include "emit/rope_arguments.h"

#include <regex>

#include "library/model.h"

namespace portwright::emit {

using eval::Value;

namespace {

/// One parameter of a config's rope_parameters; with parameters by layer kind,
/// the one they agree on.
std::optional<double>
parameter(Context& context, const nlohmann::json& json, const char* name) {
  const auto config = library::load_config(context.interp, json);
  if (!config) {
    return {};
  }
  const Value parameters =
      context.interp.try_getattr(*config, "rope_parameters");
  if (!parameters.is(eval::Kind::Dict)) {
    return {};
  }
  if (Value* v = parameters.get<eval::Dict>()->find(name)) {
    return v->is_number() ? std::optional(v->as_double()) : std::nullopt;
  }
  std::optional<double> agreed;
  for (const auto& e : parameters.get<eval::Dict>()->entries()) {
    if (!e.key.defined() || !e.value.is(eval::Kind::Dict)) {
      continue;
    }
    Value* v = e.value.get<eval::Dict>()->find(name);
    if (!v || !v->is_number() || (agreed && *agreed != v->as_double())) {
      return {};
    }
    agreed = v->as_double();
  }
  return agreed;
}

/// Names that the config's own file mentions as texts, and the usual ones.
std::vector<std::string> candidates(Context& context) {
  std::vector<std::string> out{"rope_theta", "partial_rotary_factor"};
  const auto* cls = context.evaluation.config.object()->cls;
  if (!cls->span) {
    return out;
  }
  const std::string text(cls->span.text());
  static const std::regex kText(
      R"re(["'](\w*(?:rot|rope|base|theta)\w*)["'])re");
  for (auto it = std::sregex_iterator(text.begin(), text.end(), kText);
       it != std::sregex_iterator();
       ++it) {
    const std::string name = (*it)[1];
    if (name != "rope_parameters" && name != "rope_scaling" &&
        std::find(out.begin(), out.end(), name) == out.end()) {
      out.push_back(name);
    }
  }
  return out;
}

}  // namespace

RopeKeys probe_rope_keys(Context& context) {
  nlohmann::json bare = context.evaluation.json;
  const auto names = candidates(context);
  for (const char* key : {"rope_parameters", "rope_scaling"}) {
    bare.erase(key);
  }
  for (const auto& name : names) {
    bare.erase(name);
  }
  RopeKeys out;
  out.theta = parameter(context, bare, "rope_theta");
  out.partial = parameter(context, bare, "partial_rotary_factor");
  // Values that no default has.
  constexpr double kTheta = 12347.0, kPartial = 0.625;
  for (const auto& name : names) {
    nlohmann::json with = bare;
    with[name] = kTheta;
    if (parameter(context, with, "rope_theta") == kTheta) {
      out.theta_keys.push_back(name);
      continue;
    }
    with[name] = kPartial;
    if (parameter(context, with, "partial_rotary_factor") == kPartial) {
      out.partial_keys.push_back(name);
    }
  }
  return out;
}

}  // namespace portwright::emit

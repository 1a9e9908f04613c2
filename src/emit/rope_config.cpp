#include "emit/rope_config.h"

#include "base/pattern.h"
#include "emit/config_class.h"
#include "emit/expression.h"
#include "emit/rope_sets.h"

namespace portwright::emit {

using eval::Value;
using nlohmann::json;

namespace {

/// A number that no default is.
constexpr int kUnusual = 12347;
/// How much of each head turns.
constexpr const char* kPartial = "partial_rotary_factor";

/// A set of parameters, but for its base.
json set_of(const std::string& type) {
  json out = {{"rope_type", type}};
  if (type == "default") {
    return out;
  }
  out["factor"] = 2.0;
  if (type != "linear" && type != "dynamic") {
    out["original_max_position_embeddings"] = 16;
  }
  if (type == "llama3") {
    out["low_freq_factor"] = 1.0;
    out["high_freq_factor"] = 4.0;
  }
  return out;
}

}  // namespace

RopeConfig::RopeConfig(Context& context, Configs& configs)
    : context_(context), configs_(configs) {
  bare_ = context.evaluation.json;
  for (const auto& name : {"rope_parameters", "rope_scaling"}) {
    bare_.erase(name);
  }
  find_names();
  for (const auto& name : names_) {
    bare_.erase(name);
  }
  scaled_ = bare_;
  scaled_["rope_scaling"] = {{"rope_type", "linear"}, {"factor", 2.0}};
}

Value RopeConfig::parameters(const json& config, const std::string& kind)
    const {
  const Value made = configs_(config);
  if (!made.defined()) {
    return {};
  }
  const Value all = rope_sets(context_.interp, made);
  if (kind.empty() || !all.is(eval::Kind::Dict)) {
    return all;
  }
  const Value* own = all.get<eval::Dict>()->find(kind);
  return own ? *own : Value();
}

std::optional<double> RopeConfig::number_in(
    const Value& set,
    const char* name) {
  const Value* v =
      set.is(eval::Kind::Dict) ? set.get<eval::Dict>()->find(name) : nullptr;
  return v && v->is_number() ? std::optional(v->as_double()) : std::nullopt;
}

std::vector<std::string> RopeConfig::keys_of(
    const char* parameter,
    const json& config,
    const std::string& kind) const {
  // Values that no default has.
  const bool base = std::string_view(parameter) == "rope_theta";
  const auto value = [&](size_t i) {
    const auto n = static_cast<double>(i);
    return base ? kUnusual + n : 0.625 + n / 1024;
  };
  // All at once: one answers, and then none, as a rule.
  std::vector<bool> answers(names_.size());
  json rest = config;
  for (size_t i = 0; i < names_.size(); ++i) {
    rest[names_[i]] = value(i);
  }
  Value set;
  for (bool found = true; found;) {
    found = false;
    set = parameters(rest, kind);
    const auto now = number_in(set, parameter);
    for (size_t i = 0; now && i < names_.size(); ++i) {
      if (!answers[i] && *now == value(i)) {
        answers[i] = found = true;
        rest.erase(names_[i]);
      }
    }
  }
  // What they do together may be another thing, or nothing that loads.
  if (!set.defined() || number_in(set, parameter) !=
                            number_in(parameters(config, kind), parameter)) {
    for (size_t i = 0; i < names_.size(); ++i) {
      json with = config;
      with[names_[i]] = value(i);
      answers[i] = number_in(parameters(with, kind), parameter) == value(i);
    }
  }
  std::vector<std::string> out;
  for (size_t i = 0; i < names_.size(); ++i) {
    if (answers[i]) {
      out.push_back(names_[i]);
    }
  }
  return out;
}

bool RopeConfig::is_above(
    const char* parameter,
    const std::string& name,
    const std::string& other) const {
  json with = bare_;
  with[name] = 0.625;
  with[other] = 0.375;
  return number_in(parameters(with), parameter) == 0.625;
}

json RopeConfig::with_sets(
    json config,
    const std::function<json(const std::string& kind)>& set) const {
  if (context_.rope_by_kind) {
    json& sets = config["rope_parameters"];
    sets = sets.is_object() ? sets : json::object();
    for (const auto& kind : context_.rope_kinds) {
      sets[kind] = set(kind);
    }
  } else if (has_rope_parameters(context_.interp, context_.evaluation.config)) {
    config["rope_parameters"] = set("");
  } else {
    config["rope_scaling"] = set("");
    config["rope_scaling"].erase("rope_theta");
  }
  return config;
}

std::set<std::string> RopeConfig::replaced(
    const std::set<std::string>& names,
    const std::string& kind) const {
  if (!context_.rope_by_kind &&
      !has_rope_parameters(context_.interp, context_.evaluation.config)) {
    return {};
  }
  const auto unusual = [](const std::string& name) {
    return name == kPartial ? 0.625 : double{kUnusual};
  };
  json given = {{"rope_type", "default"}, {"rope_theta", kUnusual}};
  for (const auto& name : names) {
    given[name] = unusual(name);
  }
  json config = context_.evaluation.json;
  for (const char* flat : {"rope_scaling", "rope_theta", kPartial}) {
    config.erase(flat);
  }
  config = with_sets(std::move(config), [&](const auto&) { return given; });
  const Value set = parameters(config, kind);
  std::set<std::string> out;
  for (const auto& name : names) {
    if (const auto number = number_in(set, name.c_str());
        number && *number != unusual(name)) {
      out.insert(name);
    }
  }
  return out;
}

bool RopeConfig::takes(const std::string& type) const {
  json set = set_of(type);
  set["rope_theta"] = kUnusual;
  const json with = with_sets(bare_, [&](const auto&) { return set; });
  const auto& kinds = context_.rope_kinds;
  const Value made = parameters(with, kinds.empty() ? "" : *kinds.begin());
  if (!made.is(eval::Kind::Dict)) {
    return false;
  }
  const Value* got = made.get<eval::Dict>()->find("rope_type");
  return got && got->is_str() && got->str() == type;
}

json RopeConfig::with_type(const std::string& type, const json& options) const {
  const json& config = context_.evaluation.json;
  json out = with_sets(config, [&](const std::string& kind) {
    json set = config.value("rope_parameters", json());
    if (!kind.empty() && set.is_object()) {
      set = set.value(kind, json());
    }
    set = set.is_object() ? set : json::object();
    set.erase("type");
    const Value own = parameters(config, kind);
    for (const char* name : {"rope_theta", kPartial}) {
      if (const auto number = number_in(own, name)) {
        set[name] = *number;
      }
    }
    if (context_.rope_own_base) {
      set["rope_theta"] = kUnusual;  // which is then not to be read
    }
    set.update(set_of(type));
    set.update(options);
    if (set.value(kPartial, json(1)).is_null()) {
      set.erase(kPartial);
    }
    return set;
  });
  if (out.contains("rope_parameters") && out.contains("rope_scaling")) {
    out["rope_scaling"] = nullptr;
  }
  if (type == "dynamic") {
    out["max_position_embeddings"] = kFewPositions;
  }
  return out;
}

ToldRope RopeConfig::told(const std::string& type) const {
  const bool own = type == "dynamic";
  return {
      {with_type(type), with_type(type, {{kPartial, nullptr}})},
      own,
      own || context_.rope_own_base};
}

std::string RopeConfig::own_set(const std::set<std::string>& unread) const {
  const Value set = parameters(bare());
  const char* longest = "max_position_embeddings";
  json longer = bare();
  longer[longest] = kUnusual;
  const Value other = parameters(longer);
  std::string items;
  for (const auto& e : entries_of(set)) {
    const std::string& name = e.key.str();
    const bool length = number_in(other, name.c_str()) == double{kUnusual};
    const bool flat =
        (name == "rope_theta" || name == "partial_rotary_factor") &&
        !unread.contains(name);
    const bool plain =
        name == "rope_type" && e.value.is_str() && e.value.str() == "default";
    if (!flat && !plain && !e.value.is_none()) {
      items += (items.empty() ? "\"" : ", \"") + name + "\": " +
               (length ? "self." + std::string(longest)
                       : literal(context_.interp, e.value));
    }
  }
  return "{" + items + "}";
}

std::vector<eval::Dict::Entry> RopeConfig::entries_of(const Value& set) {
  std::vector<eval::Dict::Entry> out;
  if (set.is(eval::Kind::Dict)) {
    for (const auto& e : set.get<eval::Dict>()->entries()) {
      if (e.key.defined() && e.key.is_str()) {
        out.push_back(e);
      }
    }
  }
  return out;
}

void RopeConfig::find_names() {
  names_ = {"rope_theta", "partial_rotary_factor"};
  const auto* cls = context_.evaluation.config.object()->cls;
  std::string text(cls->span ? cls->span.text() : "");
  for (const auto& field : declared_fields(*cls)) {
    text += " \"" + field + "\"";
  }
  static const base::Pattern kText(
      R"re(["'](\w*(?:rot|rope|base|theta)\w*)["'])re");
  for (const auto& found : kText.all(text)) {
    const std::string name = found[1];
    const Value* own = cls->lookup(base::Symbol(name));
    const bool number = !own || own->is_number() || own->is_none();
    if (number && name != "rope_parameters" && name != "rope_scaling" &&
        name != "rope_type" &&
        std::find(names_.begin(), names_.end(), name) == names_.end()) {
      names_.push_back(name);
    }
  }
}

}  // namespace portwright::emit

#include "cli/small_config.h"

#include <chrono>

#include "base/paths.h"
#include "base/pattern.h"
#include "base/subprocess.h"
#include "cli/environment.h"
#include "library/guarded.h"
#include "library/model.h"

namespace portwright::cli {

using nlohmann::json;

namespace {

/// Models of tests are narrower, released ones are not.
constexpr int64_t kNarrow = 768;

bool is_width(const std::string& name, const eval::Value& value);

/// True where a width is that of a released model. Counts of tokens, positions
/// and ids say nothing of it.
bool is_large(const eval::Value& config) {
  if (config.is(eval::Kind::Dict)) {
    for (const auto& e : config.get<eval::Dict>()->entries()) {
      if (e.key.defined() && e.key.is_str() && is_width(e.key.str(), e.value)) {
        return true;
      }
    }
    return false;
  }
  const auto* attrs = config.object()->attrs;
  return attrs &&
         std::any_of(
             attrs->entries().begin(),
             attrs->entries().end(),
             [](const auto& e) { return is_width(e.first.str(), e.second); });
}

bool is_width(const std::string& name, const eval::Value& value) {
  static const base::Pattern kNoWidth(
      "position|ctx|context|length|window|token|vocab|_ids?$|theta|base|limit"
      "|chunk|block|layer_id");
  if (value.is(eval::Kind::Dict) || value.is(eval::Kind::Instance)) {
    return is_large(value);
  }
  return value.is_int() && value.as_int() >= kNarrow && !kNoWidth.search(name);
}

/// All fields, those that the class gives included.
std::optional<json> all_fields(
    eval::Interpreter& interp,
    const eval::Value& made,
    const json& config) {
  const auto text = library::guarded(interp, [&] {
    return interp.call_method(
        made, "to_json_string", {eval::Value::boolean(false)});
  });
  if (!text || !text->is_str()) {
    return {};
  }
  json fields = json::parse(text->str(), nullptr, false);
  if (!fields.is_object()) {
    return {};
  }
  for (const auto& [name, value] : config.items()) {
    if (!fields.contains(name) && name != "quantization_config") {
      fields[name] = value;
    }
  }
  return fields;
}

}  // namespace

std::vector<json> small_configs(eval::Interpreter& interp, const json& config) {
  const auto config_object = library::load_config(interp, config);
  if (!config_object || !is_large(*config_object)) {
    return {};
  }
  const auto fields = all_fields(interp, *config_object, config);
  if (!fields) {
    return {};
  }
  const auto python = our_python();
  const auto home = base::data_directory();
  if (!python || !home) {
    return {};
  }
  const auto made = base::run(
      {.arguments = {*python, (*home / "workers" / "shrink.py").string()}},
      fields->dump(),
      std::chrono::seconds(30));
  const json forms =
      made ? json::parse(made->out, nullptr, false) : json::array();
  if (!forms.is_array()) {
    return {};
  }
  std::vector<json> out;
  for (json form : forms) {
    for (const auto& [name, value] : fields->items()) {
      if (!config.contains(name) && form.contains(name) &&
          form[name] == value) {
        form.erase(name);  // as the class has it
      }
    }
    if (const auto code = config.find("auto_map"); code != config.end()) {
      form["auto_map"] = *code;
    }
    if (std::find(out.begin(), out.end(), form) == out.end()) {
      out.push_back(std::move(form));
    }
  }
  return out;
}

}  // namespace portwright::cli

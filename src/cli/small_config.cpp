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

/// True where a width is that of a released model. Counts of tokens, positions
/// and ids say nothing of it.
bool is_large(const json& fields) {
  static const base::Pattern kNoWidth(
      "position|ctx|context|length|window|token|vocab|_ids?$|theta|base|limit"
      "|chunk|block|layer_id");
  for (const auto& [name, value] : fields.items()) {
    if (value.is_object()
            ? is_large(value)
            : value.is_number_integer() && value.get<int64_t>() >= kNarrow &&
                  !kNoWidth.search(name)) {
      return true;
    }
  }
  return false;
}

/// All fields, those that the class gives included.
std::optional<json> all_fields(eval::Interpreter& interp, const json& config) {
  const auto made = library::load_config(interp, config);
  if (!made) {
    return {};
  }
  const auto text = library::guarded(interp, [&] {
    return interp.call_method(
        *made, "to_json_string", {eval::Value::boolean(false)});
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
  const auto fields = all_fields(interp, config);
  if (!fields || !is_large(*fields)) {
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

#include "library/config_json.h"

#include "base/paths.h"

namespace portwright::library {
namespace {

diagnostics::Diagnostic fault(std::string message, std::string hint) {
  return {
      diagnostics::Kind::ConfigError,
      std::move(message),
      {},
      std::move(hint),
      "",
      {}};
}

/// Outside of strings, NaN and Infinity as objects.
std::string without_bare_floats(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  bool in_string = false;
  for (size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (in_string) {
      out += c;
      if (c == '\\' && i + 1 < text.size()) {
        out += text[++i];
      }
      in_string = c != '"';
      continue;
    }
    bool replaced = false;
    for (std::string_view word : {"-Infinity", "Infinity", "NaN"}) {
      if (text.substr(i).starts_with(word)) {
        out += fmt::format("{{\"__float__\": \"{}\"}}", word);
        i += word.size() - 1;
        replaced = true;
        break;
      }
    }
    if (!replaced) {
      out += c;
      in_string = c == '"';
    }
  }
  return out;
}

}  // namespace

Evaluated<nlohmann::json> read_config_file(const fs::path& path) {
  const auto text = base::read_file(path);
  if (!text) {
    return tl::unexpected(fault(
        text.error().message, "a checkpoint directory has a config.json"));
  }
  auto json = nlohmann::json::parse(without_bare_floats(*text), nullptr, false);
  if (!json.is_object()) {
    return tl::unexpected(
        fault(path.string() + " is no JSON object", "look at the file"));
  }
  return json;
}

eval::Value to_value(const nlohmann::json& json) {
  using eval::Value;
  switch (json.type()) {
    case nlohmann::json::value_t::boolean:
      return Value::boolean(json.get<bool>());
    case nlohmann::json::value_t::number_integer:
    case nlohmann::json::value_t::number_unsigned:
      return Value::integer(json.get<int64_t>());
    case nlohmann::json::value_t::number_float:
      return Value::real(json.get<double>());
    case nlohmann::json::value_t::string:
      return eval::str(json.get<std::string>());
    case nlohmann::json::value_t::array: {
      std::vector<Value> items;
      for (const auto& item : json) {
        items.push_back(to_value(item));
      }
      return eval::list(std::move(items));
    }
    case nlohmann::json::value_t::object: {
      auto out = eval::dict();
      for (const auto& [key, item] : json.items()) {
        out->set(key, to_value(item));
      }
      return Value(out);
    }
    default:
      return Value::none();
  }
}

}  // namespace portwright::library

#include "cli/switches.h"

#include <sstream>

namespace portwright::cli {

namespace {

bool is_part_of_name(char c) {
  return std::isalnum(static_cast<unsigned char>(c)) || c == '_';
}

/// `args.field` as a whole name.
bool reads(const std::string& text, const std::string& field) {
  const std::string name = "args." + field;
  for (size_t at = text.find(name); at != std::string::npos;
       at = text.find(name, at + 1)) {
    const size_t end = at + name.size();
    if (end == text.size() || !is_part_of_name(text[end])) {
      return true;
    }
  }
  return false;
}

}  // namespace

std::vector<Switch> switches_of(
    const std::string& text,
    const nlohmann::json& config) {
  std::vector<Switch> out;
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) {
    for (const bool value : {false, true}) {
      for (const char* type : {": bool = ", ": Optional[bool] = "}) {
        const std::string ending =
            std::string(type) + (value ? "True" : "False");
        if (!line.ends_with(ending) || !line.starts_with("    ")) {
          continue;
        }
        const std::string field =
            line.substr(4, line.size() - 4 - ending.size());
        const auto given = config.find(field);
        const bool is_given = given != config.end();
        if (reads(text, field) && (!is_given || given->is_boolean())) {
          out.push_back({field, is_given ? given->get<bool>() : value});
        }
      }
    }
  }
  return out;
}

}  // namespace portwright::cli

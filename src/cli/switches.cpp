#include "cli/switches.h"

#include "base/pattern.h"

namespace portwright::cli {

std::vector<Switch> switches_of(
    const std::string& text,
    const nlohmann::json& config) {
  static const base::Pattern kDeclared(
      R"(\n    (\w+): (?:bool|Optional\[bool\]) = (True|False)(?=\n))");
  std::vector<Switch> out;
  for (const auto& found : kDeclared.all(text)) {
    const std::string field = found[1];
    const auto given = config.find(field);
    const bool is_given = given != config.end();
    if ((!is_given || given->is_boolean()) &&
        base::Pattern("args\\." + field + "\\b").search(text)) {
      out.push_back(
          {field, is_given ? given->get<bool>() : found[2] == "True"});
    }
  }
  return out;
}

}  // namespace portwright::cli

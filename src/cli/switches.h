#pragma once

#include <string>
#include <vector>

#include <nlohmann/json.hpp>

namespace portwright::cli {

/// Fields of an emitted ModelArgs that are true or false and that classes of
/// the file read: which of the two the file serves is its own claim. `config`
/// is a config.json; a field that it lacks has its default.
struct Switch {
  std::string field;
  bool value;
};
std::vector<Switch> switches_of(
    const std::string& text,
    const nlohmann::json& config);

}  // namespace portwright::cli

#pragma once

#include <string>
#include <vector>

#include <nlohmann/json.hpp>

namespace portwright::emit {

/// Configs of the same structure as `config` in other numbers: every size and
/// multiplier changed, sizes by the same factor so that they still divide each
/// other; the boldest first. Some may not be valid. The field `kept`, if any,
/// stays as it is.
std::vector<nlohmann::json> perturbed(
    const nlohmann::json& config,
    const std::string& kept = "");

}  // namespace portwright::emit

#pragma once

#include <vector>

#include <nlohmann/json.hpp>

namespace portwright::emit {

/// Configs of the same structure as `config` in other numbers: every size and
/// multiplier changed, sizes by the same factor so that they still divide each
/// other; the boldest first. Some may not be valid.
std::vector<nlohmann::json> perturbed(const nlohmann::json& config);

}  // namespace portwright::emit

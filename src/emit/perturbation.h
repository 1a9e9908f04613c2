#pragma once

#include <set>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

namespace portwright::emit {

/// Configs of the same structure as `config` in other numbers: every size and
/// multiplier changed; widths more than counts, so that what a head has of them
/// changes too, and in others all by one factor; the boldest first. Some may
/// not be valid. The field `kept`, if any, stays as it is; integers of the
/// fields in `decided`, by which the source tells layers apart, do in some.
/// Fractions of one are multiplied by `share`: what is rotated in pairs is not
/// understood where they leave an odd extent.
std::vector<nlohmann::json> perturbed(
    const nlohmann::json& config,
    const std::string& kept = "",
    double share = 1.0625,
    const std::set<std::string>& decided = {});

/// Fields that hold a size.
std::vector<std::string> sizes(const nlohmann::json& config);

/// The config with these sizes twice as large.
nlohmann::json doubled(
    nlohmann::json config,
    const std::vector<std::string>& fields);

/// Fields whose size happens to be that of another field before them, as a
/// width of experts that is the model's.
std::vector<std::string> ties(const nlohmann::json& config);

/// The config with these fields half as large again, or larger where that is
/// the size of another field.
nlohmann::json untied(
    nlohmann::json config,
    const std::vector<std::string>& fields);

/// The config with twice as many layers: all fields that may count some, then
/// each alone. Some may not be valid.
std::vector<nlohmann::json> deepened(const nlohmann::json& config);

}  // namespace portwright::emit

#pragma once

#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "base/result.h"
#include "verify/proof.h"

namespace portwright::report {

/// {schema, summary: {caught, ...}, bugs: [{name, scope, line, status, check,
/// reason, place, placed, effect}]}.
nlohmann::ordered_json planted_json(
    const std::vector<verify::PlantedBug>& bugs);

/// "24 of 26 planted bugs caught, 2 without effect", without a full stop.
std::string planted_sentence(const std::vector<verify::PlantedBug>& bugs);

/// Writes planted.json and planted.md into `directory`.
base::Result<void> write_planted(
    const std::vector<verify::PlantedBug>& bugs,
    const std::filesystem::path& directory);

}  // namespace portwright::report

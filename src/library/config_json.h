#pragma once

#include <nlohmann/json.hpp>

#include "library/model.h"

namespace portwright::library {

/// Reads a config.json. Python writes NaN and Infinity as bare words, which
/// are no JSON; they become {"__float__": "NaN"}, as transformers 5 spells
/// them.
Evaluated<nlohmann::json> read_config_file(const fs::path& path);

/// JSON as the Python values json.loads() gives.
eval::Value to_value(const nlohmann::json& json);

}  // namespace portwright::library

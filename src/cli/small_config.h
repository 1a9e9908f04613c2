#pragma once

#include <vector>

#include <nlohmann/json.hpp>

#include "eval/interpreter.h"

namespace portwright::cli {

/// Configs of the same structure as that of a released model, in small sizes,
/// the most telling first: what a file is made of and proven on in milliseconds
/// serves the large one, whose numbers it reads from ModelArgs. None where
/// `config` is small itself, or nothing could be made of it.
std::vector<nlohmann::json> small_configs(
    eval::Interpreter& interp,
    const nlohmann::json& config);

}  // namespace portwright::cli

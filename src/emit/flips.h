#pragma once

#include <functional>

#include <nlohmann/json.hpp>

#include "emit/predicates.h"

namespace portwright::emit {

/// Configs near `config` (as read from config.json) for which a predicate is
/// `wanted` at some layer, the likeliest first, until one is taken. They load;
/// whether a model can be built from them is not known.
void flips(
    eval::Interpreter& interp,
    Predicates& predicates,
    const nlohmann::json& config,
    int predicate,
    Truth wanted,
    const std::function<bool(const nlohmann::json&)>& take);

}  // namespace portwright::emit

#pragma once

#include <nlohmann/json.hpp>
#include <optional>

#include "verify/results.h"

namespace portwright::report {

/// What to_json made of a check; nothing where it is something else.
std::optional<verify::CheckResult> check_from_json(const nlohmann::json& json);

}  // namespace portwright::report

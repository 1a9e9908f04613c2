#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "report/archive.h"

namespace portwright::report {

/// What is otherwise in `after` than in the archived run: {verdict: [A, B],
/// checks: [{variant, name, status: [A, B], value: [A, B], reason}], same,
/// subject: [{what, before, after}], hardware: [...]}. `same` counts the checks
/// that ended alike with the same number to the last bit.
nlohmann::ordered_json changes_between(
    const Archived& before,
    const ProofRun& after);

/// A line for each change, and what stayed.
std::vector<std::string> changes_text(const nlohmann::ordered_json& changes);

}  // namespace portwright::report

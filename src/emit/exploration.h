#pragma once

#include <string>

#include "emit/compile.h"
#include "emit/predicates.h"

namespace portwright::emit {

/// Records a config, then configs near it: for every condition on the config
/// that the model's own source decided one way only, one that decides it the
/// other way, if a model can be built from any. The first answer is that of
/// `config` itself; the diagnostic is its fault.
library::Evaluated<std::vector<Recording>> explore(
    eval::Interpreter& interp,
    Predicates& predicates,
    const nlohmann::json& config);

/// A recording in other numbers, every condition decided as in `base`; nothing
/// when no such config can be built. The field `kept`, if any, stays; `share`
/// as of `perturbed`.
std::optional<Recording> record_other_numbers(
    eval::Interpreter& interp,
    Predicates& predicates,
    const Recording& base,
    const std::string& kept = "",
    double share = 1.0625);

/// True when no loop outside of the layers ran more often in one than in the
/// other.
bool takes_as_many_steps(const Recording& a, const Recording& b);

}  // namespace portwright::emit

#pragma once

#include <set>
#include <string>
#include <vector>

#include "emit/context.h"

namespace portwright::emit {

/// One guard for every condition on config fields decided in the model's own
/// file, and for every field that selected a function by its name. `assured`
/// are fields that ModelArgs always gives a value.
std::vector<Guard> find_guards(
    Context& context,
    const std::set<std::string>& assured);

}  // namespace portwright::emit

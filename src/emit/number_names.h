#pragma once

#include <optional>
#include <string>

#include "eval/value.h"

namespace portwright::emit {

/// What to call a number that the source computes without naming it: as the
/// field or the key that it is, or what its computation says of it
/// ("experts_per_group"). It has a provenance.
std::string name_of_number(const eval::Value& v);

/// True where the source's module keeps an attribute of that name in the house.
bool has_house_attribute(const eval::Value& module, const std::string& name);

/// What a number is the negative of: "self.clip" of "-self.clip".
std::optional<eval::Value> negated_number(const eval::Value& v);

}  // namespace portwright::emit

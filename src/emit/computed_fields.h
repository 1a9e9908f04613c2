#pragma once

#include <set>
#include <string>

#include "eval/objects.h"

namespace portwright::emit {

/// Members of ModelArgs for the fields that the config class computes from
/// others, as properties of its own. Those leave `fields`; what they read
/// joins it.
std::string write_computed_fields(
    const eval::Class& cls,
    std::set<std::string>& fields);

/// True where the config class computes a field, under this name or the one it
/// stands for.
bool is_computed_field(const eval::Class& cls, const std::string& name);

}  // namespace portwright::emit

#pragma once

#include "emit/model_writer.h"

namespace portwright::emit {

/// How many layers there are, in terms of ModelArgs: what the loop over them
/// ran to, else the field of the config that says so.
std::string layer_count(Context& context, const Roles& roles);

}  // namespace portwright::emit

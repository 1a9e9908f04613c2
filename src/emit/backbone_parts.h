#pragma once

#include "emit/model_writer.h"

namespace portwright::emit {

/// "model.layers" for "model.layers.3"; "" when not numbered.
std::string list_path(const std::string& path);

/// How layer i is made: all by one class, or by one for each kind of layer.
std::string
layer_constructor(Context& context, const Roles& roles, const Masks& masks);

/// How many layers there are: what the loop over them ran to.
std::string layer_count(Context& context, const Roles& roles);

}  // namespace portwright::emit

#pragma once

#include "emit/model_writer.h"

namespace portwright::emit {

/// "model.layers" for "model.layers.3"; "" when not numbered.
std::string list_path(const std::string& path);

/// "layers.3" for "model.layers.3" below the module at "model"; and back. The
/// causal LM itself is at "".
std::string path_below(const std::string& outer, const std::string& path);
std::string path_in(const std::string& outer, const std::string& name);

/// How layer i is made: all by one class, or by one for each kind of layer.
std::string
layer_constructor(Context& context, const Roles& roles, const Masks& masks);

}  // namespace portwright::emit

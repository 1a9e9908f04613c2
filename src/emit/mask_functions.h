#pragma once

#include <string>

#include "emit/context.h"

namespace portwright::emit {

/// The functions of the file that make masks which mlx-lm has none for, and
/// that tell where the keys of a cache lie.
std::string write_mask_functions(Context& context);

}  // namespace portwright::emit

#pragma once

#include <mlx/mlx.h>

#include "torch/dtype.h"

namespace portwright::torch {

/// Where the first largest (smallest) element along an axis is; a NaN counts
/// as both. The axis is kept; int64.
mx::array first_arg_max(const mx::array& x, int axis);
mx::array first_arg_min(const mx::array& x, int axis);

}  // namespace portwright::torch

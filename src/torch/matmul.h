#pragma once

#include <mlx/mlx.h>

namespace portwright::torch {

/// numpy's matmul for every type, integers included. Both of one type.
mlx::core::array product_of(
    const mlx::core::array& a,
    const mlx::core::array& b);

}  // namespace portwright::torch

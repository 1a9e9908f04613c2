#pragma once

#include <mlx/mlx.h>

namespace portwright::torch {

/// `x` with its elements at data<T>() in row-major order. Where they lie so
/// already, nothing that is being computed for others is waited for.
inline mlx::core::array readable(const mlx::core::array& x) {
  if (x.is_available() && x.flags().row_contiguous) {
    return x;
  }
  mlx::core::array out = mlx::core::contiguous(x);
  mlx::core::eval(out);
  return out;
}

}  // namespace portwright::torch

#pragma once

#include <mlx/mlx.h>

namespace portwright::torch {

/// Where MLX's CPU and Metal backends differ, in one place.
///
///   what                      CPU                  Metal
///   float64 arrays            yes                  no: such a cast raises
///   exp, erf of float64       as float32           -
///   solve, inverse            yes                  on the CPU stream
///   products of half types    in float32, rounded  in float32, rounded
///   products of integers      none: sums           none: sums
struct Backend {
  /// float64 where there is one, for sums that torch keeps in double.
  static mlx::core::Dtype widest_float() {
    const bool cpu = mlx::core::default_device() == mlx::core::Device::cpu;
    return cpu ? mlx::core::float64 : mlx::core::float32;
  }
  static mlx::core::Device factorizations() {
    return mlx::core::Device::cpu;
  }
};

}  // namespace portwright::torch

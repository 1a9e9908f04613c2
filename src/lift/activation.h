#pragma once

#include <mlx/mlx.h>

namespace portwright::lift {

namespace mx = mlx::core;

// The activations that lifts name, element by element, to be held against what
// a source computes.

mx::array silu(const mx::array& x);
mx::array gelu(const mx::array& x);
/// By tanh, as `nn.gelu_approx`.
mx::array gelu_approx(const mx::array& x);
mx::array relu(const mx::array& x);

}  // namespace portwright::lift

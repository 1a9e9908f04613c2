#pragma once

#include <mlx/array.h>

#include "eval/interpreter.h"
#include "torch/submission.h"

namespace portwright::candidate {

/// Makes `import mlx.core` answer our vocabulary: MLX's arrays with the
/// surface and dtype rules of its Python binding, on the CPU alone.
void install_mlx_core(eval::Interpreter& interp);

/// The array behind an mx.array value, and the other way round.
/// install_mlx_core() must have been called.
mlx::core::array array_of(eval::Interpreter& interp, const eval::Value& value);
eval::Value array_value(eval::Interpreter& interp, mlx::core::array array);

/// Of mlx.core's operations.
torch::Submission& submission(eval::Interpreter& interp);

}  // namespace portwright::candidate

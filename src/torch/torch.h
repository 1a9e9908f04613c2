#pragma once

#include <span>

#include <mlx/array.h>

#include "eval/interpreter.h"
#include "torch/op.h"
#include "torch/op_observer.h"
#include "torch/submission.h"
#include "torch/tensor.h"

namespace portwright::torch {

/// Makes `import torch` and its submodules work in an interpreter.
void install_torch(eval::Interpreter& interp);

/// A fresh tensor on a storage of its own. The array's type must be
/// to_mlx(dtype).
eval::Ref<Tensor>
make_tensor(eval::Interpreter& interp, mx::array array, Dtype dtype);
/// With the dtype the array's own type stands for.
eval::Ref<Tensor> make_tensor(eval::Interpreter& interp, mx::array array);

/// What the tensor shows now. Lazy, as MLX is.
mx::array array_of(const Tensor& tensor);

/// Gives a parameter or buffer its value; it keeps its identity, and aliases
/// see the new elements. Where the array has another dtype the tensor takes it,
/// on a storage of its own. False when the shapes differ (nothing is changed
/// then).
bool load_data(Tensor& tensor, mx::array array);

/// The torch.dtype object.
eval::Value dtype_value(eval::Interpreter& interp, Dtype dtype);
/// What torch.set_default_dtype() sets; float32 at first.
Dtype default_dtype(eval::Interpreter& interp);
void set_default_dtype(eval::Interpreter& interp, Dtype dtype);

/// Runs an op on values bound to its signature, without telling the observer.
eval::Value run_op(
    eval::Interpreter& interp,
    const Op& op,
    std::span<const eval::Value> args);

/// May be null; not owned.
void set_op_observer(eval::Interpreter& interp, OpObserver* observer);
OpObserver* op_observer(eval::Interpreter& interp);

/// Of torch's operations.
Submission& submission(eval::Interpreter& interp);

}  // namespace portwright::torch

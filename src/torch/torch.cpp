#include "torch/torch.h"

#include "torch/call.h"

namespace portwright::torch {

using eval::Interpreter;
using eval::Ref;
using eval::Value;

Ref<Tensor> make_tensor(Interpreter& interp, mx::array array, Dtype dtype) {
  return eval::make<Tensor>(
      state_of(interp).tensor_class, std::move(array), dtype);
}

Ref<Tensor> make_tensor(Interpreter& interp, mx::array array) {
  const Dtype dtype = from_mlx(array.dtype());
  return make_tensor(interp, std::move(array), dtype);
}

mx::array array_of(const Tensor& tensor) {
  return tensor.array();
}

bool load_data(Tensor& tensor, mx::array array) {
  if (to_sizes(array.shape()) != tensor.sizes) {
    return false;
  }
  const Dtype dtype = from_mlx(array.dtype());
  if (dtype == tensor.dtype) {
    tensor.write(std::move(array));
    return true;
  }
  Tensor fresh(tensor.cls, std::move(array), dtype);
  tensor.rebind(fresh);
  return true;
}

Value dtype_value(Interpreter& interp, Dtype dtype) {
  return state_of(interp).dtypes[static_cast<size_t>(dtype)];
}

Dtype default_dtype(Interpreter& interp) {
  return state_of(interp).default_dtype;
}

void set_default_dtype(Interpreter& interp, Dtype dtype) {
  state_of(interp).default_dtype = dtype;
}

void set_op_observer(Interpreter& interp, OpObserver* observer) {
  state_of(interp).observer = observer;
}

Submission& submission(Interpreter& interp) {
  return state_of(interp).submission;
}

OpObserver* op_observer(Interpreter& interp) {
  return state_of(interp).observer;
}

}  // namespace portwright::torch

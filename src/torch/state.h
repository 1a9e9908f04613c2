#pragma once

#include <array>

#include "eval/interpreter.h"
#include "torch/op_observer.h"
#include "torch/submission.h"
#include "torch/tensor.h"

namespace portwright::torch {

/// What torch keeps per interpreter.
struct State : eval::Object {
  State() : Object(eval::Kind::Opaque) {}

  eval::Class* tensor_class = nullptr;
  eval::Class* parameter_class = nullptr;
  eval::Class* buffer_class = nullptr;
  eval::Class* size_class = nullptr;
  eval::Class* values_indices_class =
      nullptr;  // what max(dim), sort, topk give
  eval::Class* dtype_class = nullptr;
  eval::Class* device_class = nullptr;
  std::array<eval::Value, kDtypeCount> dtypes;
  eval::Value cpu;  // torch.device("cpu")
  Dtype default_dtype = Dtype::Float32;
  OpObserver* observer = nullptr;
  Submission submission;
  bool inside_op = false;  // ops called by ops are not reported
  int forward_depth = 0;   // calls of nn.Module that are running

  void clear() override;
};

/// A torch.dtype.
struct DtypeObject : eval::Object {
  DtypeObject(eval::Class* cls, Dtype dtype)
      : Object(eval::Kind::Opaque, cls), dtype(dtype) {}
  Dtype dtype;
};

/// Made by install_torch(), kept by the interpreter.
State& make_state(eval::Interpreter& interp);
State& state_of(eval::Interpreter& interp);

/// A torch.dtype, or Python's bool, int and float, which stand for one;
/// nullopt for anything else.
std::optional<Dtype> as_dtype(
    eval::Interpreter& interp,
    const eval::Value& value);

/// A torch.Size; ints carry provenance when `tensor` has a value id.
eval::Value size_value(
    eval::Interpreter& interp,
    const Sizes& sizes,
    const Tensor* tensor = nullptr);

}  // namespace portwright::torch

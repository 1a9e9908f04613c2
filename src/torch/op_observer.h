#pragma once

#include <span>

#include "torch/op.h"
#include "torch/tensor.h"

namespace portwright::torch {

/// Told about every tensor operation the model's code runs.
class OpObserver {
 public:
  virtual ~OpObserver() = default;
  /// `args` has one value per parameter of op.signature, defaults filled in;
  /// run_op(interp, op, args) computes the same again, also with other tensors
  /// (in-place ops write into the first one). Tensors may lie inside tuples,
  /// lists and slices. `result` is what Python gets: a tensor, a tuple or list
  /// of them; for in-place ops the first argument itself. An alias among the
  /// results has its `origin` set already.
  virtual void on_op(
      const Op& op,
      std::span<const eval::Value> args,
      const eval::Value& result) = 0;
  /// A tensor's elements became Python scalars (item(), tolist(), bool(t)).
  virtual void on_read(const Tensor&) {}
};

}  // namespace portwright::torch

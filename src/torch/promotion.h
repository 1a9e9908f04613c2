#pragma once

#include "eval/value.h"
#include "torch/tensor.h"

namespace portwright::torch {

/// torch.promote_types; nullopt where torch (or we) have no such type.
std::optional<Dtype> promote_types(Dtype a, Dtype b);
/// torch.can_cast
bool can_cast(Dtype from, Dtype to);

/// The result type of an operation over tensors and Python numbers. Tensors
/// with axes outrank 0-dim ones, which outrank numbers; a lower rank only
/// counts when its category (bool, integer, float, complex) is higher.
class ResultType {
 public:
  explicit ResultType(Dtype default_dtype) : default_(default_dtype) {}
  void add(const Tensor& tensor);
  void add(Dtype dtype, bool has_axes);
  /// A bool, int or float.
  void add_number(const eval::Value& number);
  /// nullopt when the types do not promote.
  std::optional<Dtype> result() const;

 private:
  struct Rank {
    std::optional<Dtype> dtype;
    bool failed = false;
    void join(Dtype other);
  };
  static Rank combine(const Rank& higher, const Rank& lower);

  Dtype default_;
  Rank axes_, zero_dim_, number_;
};

/// The dtype torch.tensor() gives a Python number.
Dtype dtype_of_number(const eval::Value& number, Dtype default_dtype);

}  // namespace portwright::torch

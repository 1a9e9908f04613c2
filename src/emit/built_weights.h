#pragma once

#include <string>
#include <utility>
#include <vector>

#include <mlx/mlx.h>

#include "eval/interpreter.h"

namespace portwright::emit {

/// A model's weights as it was built.
class BuiltWeights {
 public:
  BuiltWeights(eval::Interpreter& interp, const eval::Value& model);
  /// Gives the model the weights that the source has changed since, and the
  /// flags and numbers that its modules had: a forward changes them again.
  /// True where it has changed any.
  bool restore() const;
  /// Throws a Refusal where the source has changed any by more than rounding.
  void refuse_changed() const;

 private:
  struct Flag {
    eval::Value module;
    base::Symbol name;
    eval::Value value;
  };
  struct Weight {
    std::string path;
    eval::Value tensor;
    mlx::core::array value;
    const void* storage;
    uint32_t value_id;  // in a recording; 0 without
  };
  bool changed(const Weight& weight) const;

  eval::Interpreter& interp_;
  std::vector<Weight> weights_;
  std::vector<Flag> flags_;
};

}  // namespace portwright::emit

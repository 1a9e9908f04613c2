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
  /// Throws a Refusal when the source has changed one since: a port computes
  /// with what the checkpoint holds.
  void refuse_changed() const;

 private:
  struct Weight {
    std::string path;
    eval::Value tensor;
    mlx::core::array value;
    const void* storage;
  };
  std::vector<Weight> weights_;
};

}  // namespace portwright::emit

#pragma once

#include <optional>
#include <string>

#include "lift/graph.h"

namespace portwright::lift {

/// A normalisation over the last axis.
struct Norm {
  enum class Kind : uint8_t {
    Rms,         // x / sqrt(mean(x^2) + eps) * w
    RmsPlusOne,  // ... * (1 + w)
    RmsPlain,    // no weight
    Layer,       // (x - mean(x)) / sqrt(var(x) + eps) * w + b
  };
  Kind kind;
  bool has_bias = false;
  std::string eps_attribute;  // of the source's module; "" where it has none
  eval::Value eps;
  int dims = 0;
};

/// Recognises a module of the source as a normalisation, by what it computes
/// on random inputs, large and of the size of eps. Nothing when it is none.
std::optional<Norm>
lift_norm(eval::Interpreter& interp, const eval::Value& module, int dims);

/// The same of a recorded forward, which maps one array to one of its shape.
std::optional<Norm> lift_norm(
    eval::Interpreter& interp,
    const Trace& trace,
    const Flows& flows,
    const Frame& frame);

}  // namespace portwright::lift

#pragma once

#include "eval/interpreter.h"

namespace portwright::lift {

/// An affine map along the last axis.
enum class Affine : uint8_t {
  None,
  Linear,      // x W^T + b
  Transposed,  // x W + b: the weight lies as (in, out)
};

/// Recognises a module whose parameters are `weight` (two axes) and perhaps
/// `bias` as an affine map, by what it computes on random inputs.
Affine lift_affine(eval::Interpreter& interp, const eval::Value& module);

}  // namespace portwright::lift

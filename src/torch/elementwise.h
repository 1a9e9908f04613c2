#pragma once

#include <initializer_list>

#include "torch/call.h"

namespace portwright::torch {

/// The operands of an elementwise op, brought to one type and shape.
struct Elementwise {
  std::vector<mx::array> in;  // float32 for the half types
  Dtype dtype;                // of the result
  Sizes sizes;
  Sizes strides;  // of the result
};

enum class Promotion {
  Keep,     // the common type
  ToFloat,  // integers become the default dtype
  /// As Keep; a single number joins half-precision arithmetic unrounded, as
  /// torch's add, mul and div take it.
  KeepNumbers,
  ToFloatNumbers,
};

/// Operands are tensors or Python numbers at these positions.
Elementwise elementwise(
    Call& call,
    std::initializer_list<size_t> positions,
    Promotion promotion = Promotion::Keep);

/// Rounds to the result's type once, and lays it out.
Value finish(const Call& call, const Elementwise& e, const mx::array& result);
/// For predicates.
Value finish_bool(
    const Call& call,
    const Elementwise& e,
    const mx::array& result);

/// A number at the type of an array.
inline mx::array like(double number, const mx::array& array) {
  return mx::array(number, array.dtype());
}

/// True when some element is zero; evaluates the array.
bool has_zero(const mx::array& array);

/// exp to a few ulps also near overflow.
mx::array precise_exp(const mx::array& x);
/// erf to a few ulps also near zero.
mx::array precise_erf(const mx::array& x);
/// x * sigmoid(x)
mx::array silu(const mx::array& x);
mx::array softplus(const mx::array& x, double beta, double threshold);

}  // namespace portwright::torch

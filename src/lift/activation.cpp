#include "lift/activation.h"

namespace portwright::lift {

mx::array silu(const mx::array& x) {
  return mx::multiply(x, mx::sigmoid(x));
}

mx::array gelu(const mx::array& x) {
  const auto inner = mx::erf(mx::multiply(x, mx::array(0.70710678f)));
  return mx::multiply(
      mx::multiply(mx::array(0.5f), x), mx::add(mx::array(1.0f), inner));
}

mx::array gelu_approx(const mx::array& x) {
  const auto cube = mx::multiply(mx::multiply(x, x), x);
  const auto inner = mx::multiply(
      mx::array(0.79788456f),
      mx::add(x, mx::multiply(mx::array(0.044715f), cube)));
  return mx::multiply(
      mx::multiply(mx::array(0.5f), x),
      mx::add(mx::array(1.0f), mx::tanh(inner)));
}

mx::array relu(const mx::array& x) {
  return mx::maximum(x, mx::array(0.0f));
}

}  // namespace portwright::lift

#include "torch/elementwise.h"

#include <numbers>

namespace portwright::torch {
namespace {

mx::array operand_array(
    const Value& value,
    Dtype common,
    Dtype compute,
    bool numbers_unrounded) {
  const Tensor* t = as_tensor(value);
  const bool direct =
      common == compute || (numbers_unrounded && (!t || t->numel() == 1));
  if (!t) {
    mx::array a = number_array(value, direct ? compute : common);
    return cast_array(a, compute);
  }
  return cast_array(
      direct ? t->array() : cast_array(t->array(), common), compute);
}

}  // namespace

Elementwise elementwise(
    Call& call,
    std::initializer_list<size_t> positions,
    Promotion promotion) {
  ResultType types(call.state.default_dtype);
  Elementwise e;
  std::vector<Layout> layouts;
  for (size_t i : positions) {
    if (const Tensor* t = as_tensor(call.args[i])) {
      types.add(*t);
      layouts.push_back({t->sizes, t->strides});
      e.sizes = broadcast_sizes(call, e.sizes, t->sizes);
    } else if (call.args[i].is_number() && positions.size() > 1) {
      types.add_number(call.args[i]);
      layouts.push_back({});  // torch makes a 0-dim tensor of it
    } else {
      call.bad_argument(i, "Tensor");
    }
  }
  const auto common = types.result();
  if (!common || !has_arrays(*common)) {
    call.raise("RuntimeError", call.op.name + ": the types do not promote");
  }
  e.dtype = *common;
  const bool to_float =
      promotion == Promotion::ToFloat || promotion == Promotion::ToFloatNumbers;
  if (to_float && is_integral(e.dtype, true)) {
    e.dtype = call.state.default_dtype;
  }
  const bool unrounded = promotion == Promotion::KeepNumbers ||
                         promotion == Promotion::ToFloatNumbers;
  for (size_t i : positions) {
    e.in.push_back(operand_array(
        call.args[i], e.dtype, compute_dtype(e.dtype), unrounded));
  }
  e.strides = elementwise_strides(e.sizes, layouts);
  return e;
}

Value finish(const Call& call, const Elementwise& e, const mx::array& result) {
  return call.cast(result, e.dtype, e.strides);
}

Value finish_bool(
    const Call& call,
    const Elementwise& e,
    const mx::array& result) {
  return call.cast(result, Dtype::Bool, e.strides);
}

bool has_zero(const mx::array& array) {
  return mx::any(mx::equal(array, like(0, array))).item<bool>();
}

mx::array precise_exp(const mx::array& x) {
  // MLX's own loses two digits towards overflow.
  const mx::array zero = like(0, x);
  return mx::where(
      mx::greater(x, zero),
      mx::expm1(mx::maximum(x, zero)) + like(1, x),
      mx::exp(x));
}

mx::array precise_erf(const mx::array& x) {
  // MLX's approximation is absolute; the series keeps small results exact:
  // 2/sqrt(pi) (x - x^3/3 + x^5/10 - x^7/42 + x^9/216 - x^11/1320)
  const mx::array s = mx::square(x);
  mx::array series = like(-1.0 / 1320, x);
  for (double c : {1.0 / 216, -1.0 / 42, 1.0 / 10, -1.0 / 3, 1.0}) {
    series = series * s + like(c, x);
  }
  series = series * x * like(2.0 * std::numbers::inv_sqrtpi, x);
  return mx::where(mx::less(s, like(0.25, x)), series, mx::erf(x));
}

mx::array silu(const mx::array& x) {
  return x * mx::sigmoid(x);
}

mx::array softplus(const mx::array& x, double beta, double threshold) {
  const mx::array scaled = x * like(beta, x);
  const mx::array soft = mx::log1p(mx::exp(scaled)) / like(beta, x);
  return mx::where(mx::greater(scaled, like(threshold, x)), x, soft);
}

}  // namespace portwright::torch

#include <numbers>

#include "torch/dispatch.h"
#include "torch/elementwise.h"

namespace portwright::torch {
namespace {

using Unary = mx::array (*)(const mx::array&, mx::StreamOrDevice);

/// Integers become the default dtype.
template <Unary F>
Value to_float(Call& call) {
  auto e = elementwise(call, {0}, Promotion::ToFloat);
  return finish(call, e, F(e.in[0], {}));
}

template <mx::array (*F)(const mx::array&)>
Value ours(Call& call) {
  auto e = elementwise(call, {0}, Promotion::ToFloat);
  return finish(call, e, F(e.in[0]));
}

/// Integers stay as they are.
template <Unary F>
Value rounding(Call& call) {
  auto e = elementwise(call, {0});
  return finish(call, e, is_integral(e.dtype, true) ? e.in[0] : F(e.in[0], {}));
}

template <Unary F>
Value keep(Call& call) {
  auto e = elementwise(call, {0});
  return finish(call, e, F(e.in[0], {}));
}

template <Unary F>
Value predicate(Call& call) {
  auto e = elementwise(call, {0});
  return finish_bool(call, e, F(e.in[0], {}));
}

Value neg(Call& call) {
  auto e = elementwise(call, {0});
  if (e.dtype == Dtype::Bool) {
    call.raise(
        "RuntimeError",
        "Negation, the `-` operator, on a bool tensor is not supported. If "
        "you are trying to invert a mask, use the `~` or `logical_not()` "
        "operator instead.");
  }
  return finish(call, e, mx::negative(e.in[0]));
}

Value abs(Call& call) {
  auto e = elementwise(call, {0});
  const mx::array result = mx::abs(e.in[0]);
  return is_complex(e.dtype) ? call.make(result) : finish(call, e, result);
}

Value sign(Call& call) {
  auto e = elementwise(call, {0});
  return finish(call, e, e.dtype == Dtype::Bool ? e.in[0] : mx::sign(e.in[0]));
}

Value round(Call& call) {
  auto e = elementwise(call, {0});
  if (is_integral(e.dtype, true)) {
    return finish(call, e, e.in[0]);
  }
  return finish(
      call, e, mx::round(e.in[0], static_cast<int>(call.integer(1, 0))));
}

Value frac(Call& call) {
  auto e = elementwise(call, {0});
  return finish(call, e, e.in[0] - mx::trunc(e.in[0]));
}

Value logical_not(Call& call) {
  auto e = elementwise(call, {0});
  return finish_bool(call, e, mx::equal(e.in[0], like(0, e.in[0])));
}

Value bitwise_not(Call& call) {
  auto e = elementwise(call, {0});
  if (is_inexact(e.dtype)) {
    call.raise(
        "TypeError",
        "~ (operator.invert) is only implemented on integer and Boolean-type "
        "tensors");
  }
  return finish(
      call,
      e,
      e.dtype == Dtype::Bool ? mx::logical_not(e.in[0])
                             : mx::bitwise_invert(e.in[0]));
}

mx::array erfc(const mx::array& x) {
  return like(1, x) - precise_erf(x);
}

mx::array exp2(const mx::array& x) {
  return mx::power(like(2, x), x);
}

mx::array logit(const mx::array& x) {
  return mx::log(x / (like(1, x) - x));
}

mx::array sinc(const mx::array& x) {
  const mx::array t = x * like(std::numbers::pi, x);
  const mx::array zero = mx::equal(x, like(0, x));
  return mx::where(
      zero, like(1, x), mx::sin(t) / mx::where(zero, like(1, x), t));
}

Value isnan(Call& call) {
  auto e = elementwise(call, {0});
  return finish_bool(
      call,
      e,
      is_inexact(e.dtype) ? mx::isnan(e.in[0])
                          : mx::zeros_like(e.in[0], mx::bool_));
}

Value nan_to_num(Call& call) {
  auto e = elementwise(call, {0});
  if (!is_inexact(e.dtype)) {
    return finish(call, e, e.in[0]);
  }
  const mx::array& x = e.in[0];
  // The bounds are those of the tensor's own type.
  const mx::finfo info(to_mlx(e.dtype));
  const double high = call.real(2, info.max);
  const double low = call.real(3, info.min);
  mx::array out = mx::where(mx::isnan(x), like(call.real(1, 0), x), x);
  out = mx::where(mx::isposinf(x), like(high, x), out);
  return finish(call, e, mx::where(mx::isneginf(x), like(low, x), out));
}

Value positive(Call& call) {
  return call.args[0];
}

constexpr OpSpec kUnaryOps[] = {
    {"neg(input)",
     neg,
     "torch; torch:negative; tensor; tensor:negative; tensor:__neg__; inplace"},
    {"positive(input)", positive, "torch; tensor; tensor:__pos__"},
    {"abs(input)",
     abs,
     "torch; torch:absolute; tensor; tensor:absolute; tensor:__abs__; inplace"},
    {"sign(input)", sign, "torch; torch:sgn; tensor; tensor:sgn; inplace"},
    {"square(input)", keep<mx::square>, "torch; tensor; inplace"},
    {"floor(input)", rounding<mx::floor>, "torch; tensor; inplace"},
    {"ceil(input)", rounding<mx::ceil>, "torch; tensor; inplace"},
    {"trunc(input)",
     rounding<mx::trunc>,
     "torch; torch:fix; tensor; tensor:fix; inplace"},
    {"round(input, decimals=0)",
     round,
     "torch(input, *, decimals=0); tensor; inplace"},
    {"frac(input)", frac, "torch; tensor; inplace"},
    {"exp(input)", ours<precise_exp>, "torch; tensor; inplace"},
    {"exp2(input)", ours<exp2>, "torch; tensor; special; inplace"},
    {"expm1(input)", to_float<mx::expm1>, "torch; tensor; special; inplace"},
    {"log(input)", to_float<mx::log>, "torch; tensor; inplace"},
    {"log2(input)", to_float<mx::log2>, "torch; tensor; inplace"},
    {"log10(input)", to_float<mx::log10>, "torch; tensor; inplace"},
    {"log1p(input)", to_float<mx::log1p>, "torch; tensor; special; inplace"},
    {"sqrt(input)", to_float<mx::sqrt>, "torch; tensor; inplace"},
    {"rsqrt(input)", to_float<mx::rsqrt>, "torch; tensor; inplace"},
    {"reciprocal(input)", to_float<mx::reciprocal>, "torch; tensor; inplace"},
    {"sin(input)", to_float<mx::sin>, "torch; tensor; inplace"},
    {"cos(input)", to_float<mx::cos>, "torch; tensor; inplace"},
    {"tan(input)", to_float<mx::tan>, "torch; tensor; inplace"},
    {"asin(input)", to_float<mx::arcsin>, "torch; torch:arcsin; tensor"},
    {"acos(input)", to_float<mx::arccos>, "torch; torch:arccos; tensor"},
    {"atan(input)", to_float<mx::arctan>, "torch; torch:arctan; tensor"},
    {"sinh(input)", to_float<mx::sinh>, "torch; tensor"},
    {"cosh(input)", to_float<mx::cosh>, "torch; tensor"},
    {"tanh(input)", to_float<mx::tanh>, "torch; F; tensor; inplace"},
    {"asinh(input)", to_float<mx::arcsinh>, "torch; torch:arcsinh; tensor"},
    {"acosh(input)", to_float<mx::arccosh>, "torch; torch:arccosh; tensor"},
    {"atanh(input)", to_float<mx::arctanh>, "torch; torch:arctanh; tensor"},
    {"sigmoid(input)",
     to_float<mx::sigmoid>,
     "torch; F; tensor; special:expit; inplace"},
    {"erf(input)", ours<precise_erf>, "torch; tensor; special; inplace"},
    {"erfc(input)", ours<erfc>, "torch; tensor; special"},
    {"erfinv(input)", to_float<mx::erfinv>, "torch; tensor; special; inplace"},
    {"logit(input)", ours<logit>, "torch; tensor; special"},
    {"sinc(input)", ours<sinc>, "torch; tensor; special"},
    {"deg2rad(input)", to_float<mx::radians>, "torch; tensor"},
    {"rad2deg(input)", to_float<mx::degrees>, "torch; tensor"},
    {"logical_not(input)", logical_not, "torch; tensor; inplace"},
    {"bitwise_not(input)",
     bitwise_not,
     "torch; tensor; tensor:__invert__; inplace"},
    {"isnan(input)", isnan, "torch; tensor"},
    {"isinf(input)", predicate<mx::isinf>, "torch; tensor"},
    {"isfinite(input)", predicate<mx::isfinite>, "torch; tensor"},
    {"isposinf(input)", predicate<mx::isposinf>, "torch; tensor"},
    {"isneginf(input)", predicate<mx::isneginf>, "torch; tensor"},
    {"nan_to_num(input, nan=None, posinf=None, neginf=None)",
     nan_to_num,
     "torch; tensor; inplace"},
};

}  // namespace

std::span<const OpSpec> unary_ops() {
  return kUnaryOps;
}

}  // namespace portwright::torch

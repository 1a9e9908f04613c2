#include "torch/dispatch.h"
#include "torch/elementwise.h"

namespace portwright::torch {
namespace {

/// `a + alpha b`; logical or of bools.
Value add(Call& call) {
  auto e = elementwise(call, {0, 1}, Promotion::KeepNumbers);
  if (e.dtype == Dtype::Bool) {
    return finish(call, e, mx::logical_or(e.in[0], e.in[1]));
  }
  const mx::array alpha = number_array(call.args[2], compute_dtype(e.dtype));
  const bool plain = call.real(2) == 1.0;
  return finish(call, e, e.in[0] + (plain ? e.in[1] : e.in[1] * alpha));
}

Value subtract_from(Call& call, size_t from, size_t what) {
  auto e = elementwise(call, {from, what}, Promotion::KeepNumbers);
  if (e.dtype == Dtype::Bool) {
    call.raise(
        "RuntimeError",
        "Subtraction, the `-` operator, with two bool tensors is not "
        "supported. Use the `^` or `logical_xor()` operator instead.");
  }
  const mx::array alpha = number_array(call.args[2], compute_dtype(e.dtype));
  const bool plain = call.real(2) == 1.0;
  return finish(call, e, e.in[0] - (plain ? e.in[1] : e.in[1] * alpha));
}

Value sub(Call& call) {
  return subtract_from(call, 0, 1);
}

Value rsub(Call& call) {
  return subtract_from(call, 1, 0);
}

Value mul(Call& call) {
  auto e = elementwise(call, {0, 1}, Promotion::KeepNumbers);
  return finish(
      call,
      e,
      e.dtype == Dtype::Bool ? mx::logical_and(e.in[0], e.in[1])
                             : e.in[0] * e.in[1]);
}

void check_divisor(Call& call, const Elementwise& e) {
  if (is_integral(e.dtype, true) && has_zero(e.in[1])) {
    call.raise("RuntimeError", "ZeroDivisionError");
  }
}

/// Python's floor division; of floats by way of the exact remainder.
mx::array floor_quotient(const Elementwise& e) {
  const mx::array &a = e.in[0], &b = e.in[1];
  if (is_integral(e.dtype, true)) {
    return mx::floor_divide(a, b);
  }
  const mx::array exact =
      mx::floor((a - mx::remainder(a, b)) / b + like(0.5, a));
  return mx::where(mx::equal(b, like(0, b)), a / b, exact);
}

/// Rounds towards zero.
mx::array truncated_quotient(const Elementwise& e) {
  const mx::array &a = e.in[0], &b = e.in[1];
  if (!is_integral(e.dtype, true)) {
    return mx::trunc(a / b);
  }
  const mx::array q = mx::floor_divide(a, b);
  const mx::array inexact = mx::not_equal(q * b, a);
  const mx::array negative = mx::less(q, like(0, q));
  return q + mx::astype(mx::logical_and(inexact, negative), q.dtype());
}

Value floor_divide(Call& call) {
  auto e = elementwise(call, {0, 1});
  check_divisor(call, e);
  return finish(call, e, floor_quotient(e));
}

Value div(Call& call) {
  const std::string rounding = call.text(2, "");
  if (rounding.empty()) {
    auto e = elementwise(call, {0, 1}, Promotion::ToFloatNumbers);
    return finish(call, e, e.in[0] / e.in[1]);
  }
  auto e = elementwise(call, {0, 1});
  check_divisor(call, e);
  if (rounding == "floor") {
    return finish(call, e, floor_quotient(e));
  }
  if (rounding != "trunc") {
    call.raise(
        "RuntimeError",
        "div expected rounding_mode to be one of None, 'trunc', or 'floor' but "
        "found '" +
            rounding + "'");
  }
  return finish(call, e, truncated_quotient(e));
}

/// other / self; torch multiplies by the reciprocal.
Value rdiv(Call& call) {
  auto e = elementwise(call, {0, 1}, Promotion::ToFloatNumbers);
  const mx::array inverse = cast_array(
      cast_array(mx::reciprocal(e.in[0]), e.dtype), compute_dtype(e.dtype));
  return finish(call, e, inverse * e.in[1]);
}

Value remainder(Call& call) {
  auto e = elementwise(call, {0, 1});
  check_divisor(call, e);
  if (e.dtype == Dtype::Bool) {
    call.refuse_operation("the remainder of bools");
  }
  return finish(call, e, mx::remainder(e.in[0], e.in[1]));
}

/// C's remainder: the sign of the dividend.
Value fmod(Call& call) {
  auto e = elementwise(call, {0, 1});
  check_divisor(call, e);
  const mx::array r = mx::remainder(mx::abs(e.in[0]), mx::abs(e.in[1]));
  return finish(
      call,
      e,
      mx::where(mx::less(e.in[0], like(0, e.in[0])), mx::negative(r), r));
}

/// torch computes these exponents without pow().
mx::array power(const mx::array& a, const mx::array& b, const Value& exponent) {
  if (exponent.is_number()) {
    const double p = exponent.as_double();
    if (p == 1) {
      return a;
    }
    if (p == 2) {
      return mx::square(a);
    }
    if (p == 3) {
      return a * a * a;
    }
    if (mx::issubdtype(a.dtype(), mx::floating)) {
      if (p == 0.5) {
        return mx::sqrt(a);
      }
      if (p == -0.5) {
        return mx::rsqrt(a);
      }
      if (p == -1) {
        return mx::reciprocal(a);
      }
      if (p == -2) {
        return mx::reciprocal(mx::square(a));
      }
    }
  }
  return mx::power(a, b);
}

Value pow(Call& call) {
  auto e = elementwise(call, {0, 1});
  if (is_integral(e.dtype)) {
    if (mx::any(mx::less(e.in[1], like(0, e.in[1]))).item<bool>()) {
      call.raise(
          "RuntimeError",
          "Integers to negative integer powers are not allowed.");
    }
  }
  return finish(call, e, power(e.in[0], e.in[1], call.args[1]));
}

Value rpow(Call& call) {
  auto e = elementwise(call, {1, 0});
  return finish(call, e, mx::power(e.in[0], e.in[1]));
}

Value rfloordiv(Call& call) {
  auto e = elementwise(call, {1, 0});
  check_divisor(call, e);
  return finish(call, e, floor_quotient(e));
}

Value rmod(Call& call) {
  auto e = elementwise(call, {1, 0});
  check_divisor(call, e);
  return finish(call, e, mx::remainder(e.in[0], e.in[1]));
}

template <
    mx::array (*F)(const mx::array&, const mx::array&, mx::StreamOrDevice)>
Value binary(Call& call) {
  call.tensor(1);  // numbers are not taken
  auto e = elementwise(call, {0, 1});
  return finish(call, e, F(e.in[0], e.in[1], {}));
}

template <
    mx::array (*F)(const mx::array&, const mx::array&, mx::StreamOrDevice)>
Value float_binary(Call& call) {
  call.tensor(1);
  auto e = elementwise(call, {0, 1}, Promotion::ToFloat);
  return finish(call, e, F(e.in[0], e.in[1], {}));
}

Value logaddexp2(Call& call) {
  auto e = elementwise(call, {0, 1}, Promotion::ToFloat);
  const mx::array ln2 = like(0.693147180559945309, e.in[0]);
  return finish(call, e, mx::logaddexp(e.in[0] * ln2, e.in[1] * ln2) / ln2);
}

Value hypot(Call& call) {
  auto e = elementwise(call, {0, 1}, Promotion::ToFloat);
  return finish(call, e, mx::sqrt(mx::square(e.in[0]) + mx::square(e.in[1])));
}

Value xlogy(Call& call) {
  auto e = elementwise(call, {0, 1}, Promotion::ToFloat);
  const mx::array zero = like(0, e.in[0]);
  return finish(
      call,
      e,
      mx::where(
          mx::logical_and(
              mx::equal(e.in[0], zero), mx::logical_not(mx::isnan(e.in[1]))),
          zero,
          e.in[0] * mx::log(e.in[1])));
}

/// input + weight (end - input), from the nearer end as torch does.
Value lerp(Call& call) {
  auto e = elementwise(call, {0, 1, 2}, Promotion::KeepNumbers);
  const mx::array &a = e.in[0], &b = e.in[1], &w = e.in[2];
  const mx::array step = b - a;
  return finish(
      call,
      e,
      mx::where(
          mx::less(mx::abs(w), like(0.5, w)),
          a + w * step,
          b - step * (like(1, w) - w)));
}

Value addcmul(Call& call) {
  auto e = elementwise(call, {0, 1, 2});
  const mx::array scale = number_array(call.args[3], compute_dtype(e.dtype));
  return finish(call, e, e.in[0] + scale * e.in[1] * e.in[2]);
}

Value addcdiv(Call& call) {
  auto e = elementwise(call, {0, 1, 2});
  const mx::array scale = number_array(call.args[3], compute_dtype(e.dtype));
  return finish(call, e, e.in[0] + scale * e.in[1] / e.in[2]);
}

constexpr OpSpec kArithmeticOps[] = {
    {"add(input, other, alpha=1)",
     add,
     "torch(input, other, *, alpha=1); tensor; tensor:__add__; "
     "tensor:__radd__; inplace; inplace:__iadd__"},
    {"sub(input, other, alpha=1)",
     sub,
     "torch(input, other, *, alpha=1); torch:subtract; tensor; "
     "tensor:subtract; tensor:__sub__; inplace; inplace:__isub__"},
    {"rsub(input, other, alpha=1)", rsub, "torch; tensor:__rsub__"},
    {"mul(input, other)",
     mul,
     "torch; torch:multiply; tensor; tensor:multiply; tensor:__mul__; "
     "tensor:__rmul__; inplace; inplace:__imul__"},
    {"div(input, other, rounding_mode=None)",
     div,
     "torch(input, other, *, rounding_mode=None); torch:divide; "
     "torch:true_divide(input, other); tensor; tensor:divide; "
     "tensor:true_divide(input, other); tensor:__truediv__; inplace; "
     "inplace:__itruediv__"},
    {"rdiv(input, other)", rdiv, "tensor:__rtruediv__"},
    {"floor_divide(input, other)",
     floor_divide,
     "torch; tensor; tensor:__floordiv__; inplace; inplace:__ifloordiv__"},
    {"rfloordiv(input, other)", rfloordiv, "tensor:__rfloordiv__"},
    {"remainder(input, other)",
     remainder,
     "torch; tensor; tensor:__mod__; inplace; inplace:__imod__"},
    {"rmod(input, other)", rmod, "tensor:__rmod__"},
    {"fmod(input, other)", fmod, "torch; tensor; inplace"},
    {"pow(input, exponent)",
     pow,
     "torch; tensor; tensor:__pow__; inplace; inplace:__ipow__; "
     "torch:float_power"},
    {"rpow(input, other)", rpow, "tensor:__rpow__"},
    {"maximum(input, other)", binary<mx::maximum>, "torch; tensor"},
    {"minimum(input, other)", binary<mx::minimum>, "torch; tensor"},
    {"atan2(input, other)",
     float_binary<mx::arctan2>,
     "torch; torch:arctan2; tensor"},
    {"logaddexp(input, other)", float_binary<mx::logaddexp>, "torch; tensor"},
    {"logaddexp2(input, other)", logaddexp2, "torch; tensor"},
    {"hypot(input, other)", hypot, "torch; tensor"},
    {"xlogy(input, other)", xlogy, "torch; tensor; special"},
    {"lerp(input, end, weight)", lerp, "torch; tensor; inplace"},
    {"addcmul(input, tensor1, tensor2, value=1)",
     addcmul,
     "torch(input, tensor1, tensor2, *, value=1); tensor; inplace"},
    {"addcdiv(input, tensor1, tensor2, value=1)",
     addcdiv,
     "torch(input, tensor1, tensor2, *, value=1); tensor; inplace"},
};

}  // namespace

std::span<const OpSpec> arithmetic_ops() {
  return kArithmeticOps;
}

}  // namespace portwright::torch

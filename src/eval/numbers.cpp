// Arithmetic on int, float and bool, exact where Python's is.

#include <cmath>
#include <limits>

#include "eval/wide_integer.h"

namespace portwright::eval {

namespace {

// Correctly rounded, also beyond 2**53: a 127-bit numerator leaves more
// quotient bits than a double keeps, and the remainder becomes a sticky bit.
double true_divide(int64_t a, int64_t b) {
  constexpr int64_t exact = int64_t{1} << 53;
  if (a > -exact && a < exact && b > -exact && b < exact) {
    return static_cast<double>(a) / static_cast<double>(b);
  }
  using Wide = unsigned __int128;
  const bool negative = (a < 0) != (b < 0);
  Wide n = a < 0 ? Wide(0) - Wide(a) : Wide(a);
  const Wide d = b < 0 ? Wide(0) - Wide(b) : Wide(b);
  if (n == 0) {
    return 0.0;
  }
  int shift = 0;
  while (!(n >> 126)) {
    n <<= 1;
    ++shift;
  }
  Wide q = n / d;
  if (n % d) {
    q |= 1;
  }
  // Down to 64 bits, so that one correctly rounded conversion remains.
  while (q >> 64) {
    q = (q >> 1) | (q & 1);
    --shift;
  }
  const double result =
      std::ldexp(static_cast<double>(static_cast<uint64_t>(q)), -shift);
  return negative ? -result : result;
}

double float_mod(double a, double b) {
  double mod = std::fmod(a, b);
  if (mod == 0) {
    return std::copysign(0.0, b);
  }
  return (b < 0) != (mod < 0) ? mod + b : mod;
}

double float_floordiv(double a, double b) {
  double mod = std::fmod(a, b);
  double div = (a - mod) / b;
  if (mod != 0 && (b < 0) != (mod < 0)) {
    div -= 1.0;
  }
  if (div == 0) {
    return std::copysign(0.0, a / b);
  }
  double floored = std::floor(div);
  return div - floored > 0.5 ? floored + 1.0 : floored;
}

Value float_pow(Interpreter& interp, double a, double b) {
  if (a == 0.0 && b < 0.0) {
    interp.raise(
        "ZeroDivisionError", "0.0 cannot be raised to a negative power");
  }
  if (a < 0.0 && std::isfinite(a) && std::isfinite(b) && b != std::floor(b)) {
    interp.refuse(
        diagnostics::Kind::UnsupportedOperation,
        "a negative number to a fractional power is complex");
  }
  const double result = std::pow(a, b);
  if (std::isinf(result) && std::isfinite(a) && std::isfinite(b)) {
    raise_with(
        interp,
        "OverflowError",
        {Value::integer(34), str("Numerical result out of range")});
  }
  return Value::real(result);
}

Value int_pow(Interpreter& interp, int64_t base, int64_t exponent) {
  if (exponent < 0) {
    return float_pow(
        interp, static_cast<double>(base), static_cast<double>(exponent));
  }
  const auto wide = [&, b = base, e = exponent] {
    return wide_binary(
        interp, Operator::Pow, Value::integer(b), Value::integer(e));
  };
  int64_t result = 1;
  while (exponent) {
    if ((exponent & 1) && __builtin_mul_overflow(result, base, &result)) {
      return wide();
    }
    exponent >>= 1;
    if (exponent && __builtin_mul_overflow(base, base, &base)) {
      return wide();
    }
  }
  return Value::integer(result);
}

Value shift(Interpreter& interp, Operator op, int64_t a, int64_t count) {
  if (count < 0) {
    interp.raise("ValueError", "negative shift count");
  }
  if (op == Operator::RShift) {
    return Value::integer(a >> std::min<int64_t>(count, 63));
  }
  int64_t result = 0;
  if (a != 0 &&
      (count > 62 || __builtin_mul_overflow(a, int64_t{1} << count, &result))) {
    return wide_binary(interp, op, Value::integer(a), Value::integer(count));
  }
  return Value::integer(result);
}

Value int_binary(Interpreter& interp, Operator op, int64_t a, int64_t b) {
  int64_t r;
  switch (op) {
    case Operator::Add:
      if (__builtin_add_overflow(a, b, &r)) {
        return wide_binary(interp, op, Value::integer(a), Value::integer(b));
      }
      return Value::integer(r);
    case Operator::Sub:
      if (__builtin_sub_overflow(a, b, &r)) {
        return wide_binary(interp, op, Value::integer(a), Value::integer(b));
      }
      return Value::integer(r);
    case Operator::Mul:
      if (__builtin_mul_overflow(a, b, &r)) {
        return wide_binary(interp, op, Value::integer(a), Value::integer(b));
      }
      return Value::integer(r);
    case Operator::TrueDiv:
      if (b == 0) {
        interp.raise("ZeroDivisionError", "division by zero");
      }
      return Value::real(true_divide(a, b));
    case Operator::FloorDiv:
    case Operator::Mod: {
      if (b == 0) {
        interp.raise(
            "ZeroDivisionError",
            op == Operator::Mod ? "integer modulo by zero"
                                : "integer division or modulo by zero");
      }
      if (b == -1) {  // INT64_MIN / -1 traps
        return op == Operator::Mod ? Value::integer(0)
                                   : int_binary(interp, Operator::Sub, 0, a);
      }
      int64_t q = a / b;
      int64_t m = a % b;
      if (m != 0 && (m < 0) != (b < 0)) {
        m += b;
        --q;
      }
      return Value::integer(op == Operator::Mod ? m : q);
    }
    case Operator::Pow:
      return int_pow(interp, a, b);
    case Operator::LShift:
    case Operator::RShift:
      return shift(interp, op, a, b);
    case Operator::And:
      return Value::integer(a & b);
    case Operator::Or:
      return Value::integer(a | b);
    case Operator::Xor:
      return Value::integer(a ^ b);
    case Operator::MatMul:
      return {};
  }
  return {};
}

Value float_binary(Interpreter& interp, Operator op, double a, double b) {
  switch (op) {
    case Operator::Add:
      return Value::real(a + b);
    case Operator::Sub:
      return Value::real(a - b);
    case Operator::Mul:
      return Value::real(a * b);
    case Operator::TrueDiv:
      if (b == 0) {
        interp.raise("ZeroDivisionError", "float division by zero");
      }
      return Value::real(a / b);
    case Operator::FloorDiv:
      if (b == 0) {
        interp.raise("ZeroDivisionError", "float floor division by zero");
      }
      return Value::real(float_floordiv(a, b));
    case Operator::Mod:
      if (b == 0) {
        interp.raise("ZeroDivisionError", "float modulo");
      }
      return Value::real(float_mod(a, b));
    case Operator::Pow:
      return float_pow(interp, a, b);
    default:
      return {};
  }
}

double real(Interpreter& interp, const Value& value) {
  return value.is_number() ? value.as_double() : wide_to_double(interp, value);
}

}  // namespace

Value number_binary(
    Interpreter& interp,
    Operator op,
    const Value& a,
    const Value& b) {
  if (a.is_float() || b.is_float()) {
    return float_binary(interp, op, real(interp, a), real(interp, b));
  }
  if (is_wide(interp, a) || is_wide(interp, b)) {
    return wide_binary(interp, op, a, b);
  }
  if (a.is_bool() && b.is_bool() && op >= Operator::And) {
    return Value::boolean(
        op == Operator::And  ? a.as_bool() && b.as_bool()
        : op == Operator::Or ? a.as_bool() || b.as_bool()
                             : a.as_bool() != b.as_bool());
  }
  return int_binary(interp, op, a.as_int(), b.as_int());
}

}  // namespace portwright::eval

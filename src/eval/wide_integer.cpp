#include "eval/wide_integer.h"

#include <gmpxx.h>

#include <cmath>

namespace portwright::eval {

namespace {

constexpr size_t kMaxBits = size_t{1} << 16;

struct WideInteger : Object {
  WideInteger(Class* cls, mpz_class number)
      : Object(Kind::Opaque, cls), number(std::move(number)) {}
  const mpz_class number;
};

[[noreturn]] void too_wide(Interpreter& interp) {
  interp.refuse(
      diagnostics::Kind::UnsupportedOperation,
      fmt::format("an integer of more than {} bits", kMaxBits),
      "larger ones are not evaluated");
}

size_t bits(const mpz_class& n) {
  return n == 0 ? 0 : mpz_sizeinbase(n.get_mpz_t(), 2);
}

/// An int of either kind.
mpz_class to_mpz(const Value& value) {
  if (value.is(Kind::Opaque)) {
    return value.get<WideInteger>()->number;
  }
  return mpz_class(static_cast<long>(value.as_int()));
}

Value from_mpz(Interpreter& interp, const mpz_class& n) {
  if (n.fits_slong_p()) {
    return Value::integer(n.get_si());
  }
  if (bits(n) > kMaxBits) {
    too_wide(interp);
  }
  return Value(make<WideInteger>(interp.types.int_, n));
}

/// a / b, rounded once: 64 bits of quotient with a sticky last one.
double
true_quotient(Interpreter& interp, const mpz_class& a, const mpz_class& b) {
  const mpz_class n = abs(a), d = abs(b);
  const long up = 65 + static_cast<long>(bits(d)) - static_cast<long>(bits(n));
  const mpz_class high = up > 0 ? mpz_class(n << up) : n;
  const mpz_class low = up < 0 ? mpz_class(d << -up) : d;
  mpz_class q = high / low;  // 65 or 66 bits
  const bool exact = q * low == high;
  const int extra = static_cast<int>(bits(q)) - 64;
  mpz_class kept = q >> extra;
  if (!exact || mpz_class(kept << extra) != q) {
    kept |= 1;
  }
  const double result =
      std::ldexp(static_cast<double>(kept.get_ui()), extra - int(up));
  if (std::isinf(result)) {
    interp.raise("OverflowError", "int too large to convert to float");
  }
  return (a < 0) != (b < 0) ? -result : result;
}

mpz_class shifted_left(Interpreter& interp, const mpz_class& a, int64_t by) {
  if (by < 0) {
    interp.raise("ValueError", "negative shift count");
  }
  if (bits(a) + static_cast<uint64_t>(by) > kMaxBits) {
    too_wide(interp);
  }
  return a << static_cast<unsigned long>(by);
}

/// Wide counts leave nothing, or the sign.
mpz_class
shifted_right(Interpreter& interp, const mpz_class& a, const mpz_class& by) {
  if (by < 0) {
    interp.raise("ValueError", "negative shift count");
  }
  mpz_class out;
  mpz_fdiv_q_2exp(
      out.get_mpz_t(), a.get_mpz_t(), by > kMaxBits ? kMaxBits : by.get_ui());
  return out;
}

mpz_class
power(Interpreter& interp, const mpz_class& base, const mpz_class& exponent) {
  if (exponent > kMaxBits || bits(base) * exponent.get_ui() > 2 * kMaxBits) {
    too_wide(interp);
  }
  mpz_class out;
  mpz_pow_ui(out.get_mpz_t(), base.get_mpz_t(), exponent.get_ui());
  return out;
}

}  // namespace

bool is_wide(Interpreter& interp, const Value& value) {
  return value.is(Kind::Opaque) && value.object()->cls == interp.types.int_;
}

bool is_numeric(Interpreter& interp, const Value& value) {
  return value.is_number() || is_wide(interp, value);
}

Value integer_from_digits(
    Interpreter& interp,
    const std::string& digits,
    int base) {
  // A digit carries 5.2 bits at most.
  if (digits.size() > kMaxBits) {
    too_wide(interp);
  }
  return from_mpz(interp, mpz_class(digits, base));
}

Value integer_from_double(Interpreter& interp, double whole) {
  return from_mpz(interp, mpz_class(whole));
}

Value wide_binary(
    Interpreter& interp,
    Operator op,
    const Value& a,
    const Value& b) {
  const mpz_class x = to_mpz(a), y = to_mpz(b);
  mpz_class out;
  switch (op) {
    case Operator::Add:
      return from_mpz(interp, x + y);
    case Operator::Sub:
      return from_mpz(interp, x - y);
    case Operator::Mul:
      return from_mpz(interp, x * y);
    case Operator::TrueDiv:
      if (y == 0) {
        interp.raise("ZeroDivisionError", "division by zero");
      }
      return Value::real(x == 0 ? 0.0 : true_quotient(interp, x, y));
    case Operator::FloorDiv:
    case Operator::Mod:
      if (y == 0) {
        interp.raise(
            "ZeroDivisionError",
            op == Operator::Mod ? "integer modulo by zero"
                                : "integer division or modulo by zero");
      }
      (op == Operator::Mod ? mpz_fdiv_r : mpz_fdiv_q)(
          out.get_mpz_t(), x.get_mpz_t(), y.get_mpz_t());
      return from_mpz(interp, out);
    case Operator::Pow:
      return y < 0 ? Value::real(std::pow(
                         true_quotient(interp, x, 1),
                         true_quotient(interp, y, 1)))
                   : from_mpz(interp, power(interp, x, y));
    case Operator::LShift:
      if (y > kMaxBits) {
        too_wide(interp);
      }
      return from_mpz(interp, shifted_left(interp, x, y.get_si()));
    case Operator::RShift:
      return from_mpz(interp, shifted_right(interp, x, y));
    case Operator::And:
      return from_mpz(interp, x & y);
    case Operator::Or:
      return from_mpz(interp, x | y);
    case Operator::Xor:
      return from_mpz(interp, x ^ y);
    case Operator::MatMul:
      return {};
  }
  return {};
}

int compare_wide(const Value& a, const Value& b) {
  if (b.is_float()) {
    return std::isinf(b.as_double()) ? (b.as_double() > 0 ? -1 : 1)
                                     : cmp(to_mpz(a), b.as_double());
  }
  return a.is_float() ? -compare_wide(b, a) : cmp(to_mpz(a), to_mpz(b));
}

double wide_to_double(Interpreter& interp, const Value& value) {
  return true_quotient(interp, to_mpz(value), 1);
}

std::string wide_digits(const Value& value) {
  return to_mpz(value).get_str();
}

int64_t wide_bits(const Value& value) {
  return static_cast<int64_t>(bits(to_mpz(value)));
}

}  // namespace portwright::eval

#include <cmath>
#include <numeric>

#include "eval/builtins/support.h"
#include "eval/stdlib/modules.h"

namespace portwright::eval {

namespace {

double to_double(Interpreter& in, const Value& v) {
  if (v.is_number()) {
    return v.as_double();
  }
  if (v.is_str() || !v.is_object()) {
    in.raise("TypeError", "must be real number, not " + type_name(in, v));
  }
  return in.call(class_value(in.types.float_), {v}).as_double();
}

[[noreturn]] void domain_error(Interpreter& in) {
  in.raise("ValueError", "math domain error");
}

// NaN from a number that was none is outside the domain, infinity from finite
// arguments outside the range.
Value checked(Interpreter& in, double result, bool finite, bool nan) {
  if (std::isnan(result) && !nan) {
    domain_error(in);
  }
  if (std::isinf(result) && finite) {
    in.raise("OverflowError", "math range error");
  }
  return Value::real(result);
}

using Unary = double (*)(double);
using Binary = double (*)(double, double);

void define_functions(ModuleObject& m) {
  constexpr std::pair<const char*, Unary> unary[] = {
      {"sqrt", std::sqrt},    {"exp", std::exp},       {"exp2", std::exp2},
      {"expm1", std::expm1},  {"sin", std::sin},       {"cos", std::cos},
      {"tan", std::tan},      {"asin", std::asin},     {"acos", std::acos},
      {"atan", std::atan},    {"sinh", std::sinh},     {"cosh", std::cosh},
      {"tanh", std::tanh},    {"asinh", std::asinh},   {"acosh", std::acosh},
      {"atanh", std::atanh},  {"erf", std::erf},       {"erfc", std::erfc},
      {"gamma", std::tgamma}, {"lgamma", std::lgamma}, {"fabs", std::fabs},
      {"cbrt", std::cbrt}};
  for (const auto& [name, f] : unary) {
    m.def(
        std::string(name) + "(x, /)",
        [f = f, full = "math." + std::string(name)](
            Interpreter& in, Args a) -> Value {
          const double x = to_double(in, a[0]);
          return checked(in, f(x), std::isfinite(x), std::isnan(x))
              .with(call_provenance(in, full, a[0]));
        });
  }
  constexpr std::pair<const char*, Binary> binary[] = {
      {"pow", std::pow},
      {"fmod", std::fmod},
      {"atan2", std::atan2},
      {"copysign", std::copysign}};
  for (const auto& [name, f] : binary) {
    m.def(
        std::string(name) + "(x, y, /)",
        [f = f, full = "math." + std::string(name)](
            Interpreter& in, Args a) -> Value {
          const double x = to_double(in, a[0]), y = to_double(in, a[1]);
          return checked(
                     in,
                     f(x, y),
                     std::isfinite(x) && std::isfinite(y),
                     std::isnan(x) || std::isnan(y))
              .with(call_provenance(in, full, a[0], a[1]));
        });
  }
}

double logarithm(Interpreter& in, const Value& v, Unary f, double pole) {
  const double x = to_double(in, v);
  if (x <= pole) {
    domain_error(in);
  }
  return f(x);
}

void define_logarithms(ModuleObject& m) {
  m.def("log(x, base=None, /)", [](Interpreter& in, Args a) -> Value {
    double r = logarithm(in, a[0], std::log, 0);
    if (!given(a[1])) {
      return Value::real(r).with(call_provenance(in, "math.log", a[0]));
    }
    const double base = logarithm(in, a[1], std::log, 0);
    if (base == 0) {
      in.raise("ZeroDivisionError", "float division by zero");
    }
    return Value::real(r / base).with(
        call_provenance(in, "math.log", a[0], a[1]));
  });
  constexpr std::tuple<const char*, Unary, double> logs[] = {
      {"log2", std::log2, 0},
      {"log10", std::log10, 0},
      {"log1p", std::log1p, -1}};
  for (const auto& [name, f, pole] : logs) {
    m.def(
        std::string(name) + "(x, /)",
        [f = f, pole = pole, full = "math." + std::string(name)](
            Interpreter& in, Args a) -> Value {
          return Value::real(logarithm(in, a[0], f, pole))
              .with(call_provenance(in, full, a[0]));
        });
  }
}

void define_rounding(ModuleObject& m) {
  constexpr std::pair<const char*, Unary> table[] = {
      {"floor", std::floor}, {"ceil", std::ceil}, {"trunc", std::trunc}};
  for (const auto& [name, f] : table) {
    m.def(
        std::string(name) + "(x, /)",
        [f = f,
         special = Symbol("__" + std::string(name) + "__"),
         full = "math." + std::string(name)](Interpreter& in, Args a) -> Value {
          const Provenance* p = call_provenance(in, full, a[0]);
          if (a[0].is_integral()) {
            return Value::integer(a[0].as_int()).with(p);
          }
          if (a[0].is_object()) {
            if (Value r = call_special(in, a[0], special); r.defined()) {
              return r;
            }
          }
          const Value whole = Value::real(f(to_double(in, a[0])));
          return in.call(class_value(in.types.int_), {whole}).with(p);
        });
  }
}

Value integer_root(Interpreter& in, Args a) {
  const int64_t n = as_index(in, a[0]);
  if (n < 0) {
    in.raise("ValueError", "isqrt() argument must be nonnegative");
  }
  int64_t r = static_cast<int64_t>(std::sqrt(static_cast<double>(n)));
  while (r > 0 && r > n / r) {
    --r;
  }
  while (r + 1 <= n / (r + 1)) {
    ++r;
  }
  return Value::integer(r).with(call_provenance(in, "math.isqrt", a[0]));
}

void define_integers(ModuleObject& m) {
  m.def("isqrt(n, /)", integer_root);
  const auto fold = [](bool least) {
    return [least](Interpreter& in, Args a) -> Value {
      int64_t r = least ? 1 : 0;
      for (const Value& v : rest(a[0])) {
        const int64_t i = as_index(in, v);
        r = least ? std::lcm(r, i) : std::gcd(r, i);
      }
      return Value::integer(r);
    };
  };
  m.def("gcd(*integers)", fold(false));
  m.def("lcm(*integers)", fold(true));
  m.def("factorial(n, /)", [](Interpreter& in, Args a) -> Value {
    Value r = Value::integer(1);
    const int64_t n = as_index(in, a[0]);
    if (n < 0) {
      in.raise("ValueError", "factorial() not defined for negative values");
    }
    for (int64_t i = 2; i <= n; ++i) {
      r = number_binary(in, Operator::Mul, r, Value::integer(i));
    }
    return r;
  });
  m.def("comb(n, k, /)", [](Interpreter& in, Args a) -> Value {
    const int64_t n = as_index(in, a[0]);
    const int64_t k = std::min(as_index(in, a[1]), n - as_index(in, a[1]));
    Value r = Value::integer(k < 0 ? 0 : 1);
    for (int64_t i = 1; i <= k; ++i) {
      r = number_binary(in, Operator::Mul, r, Value::integer(n - k + i));
      r = number_binary(in, Operator::FloorDiv, r, Value::integer(i));
    }
    return r;
  });
  m.def("prod(iterable, /, *, start=1)", [](Interpreter& in, Args a) -> Value {
    Value r = a[1];
    in.for_each(a[0], [&](Value v) { r = in.binary("*", r, v); });
    return r;
  });
}

void define_tests(ModuleObject& m) {
  using Test = bool (*)(double);
  constexpr std::pair<const char*, Test> tests[] = {
      {"isnan", [](double x) { return std::isnan(x); }},
      {"isinf", [](double x) { return std::isinf(x); }},
      {"isfinite", [](double x) { return std::isfinite(x); }}};
  for (const auto& [name, f] : tests) {
    m.def(
        std::string(name) + "(x, /)",
        [f = f, full = "math." + std::string(name)](
            Interpreter& in, Args a) -> Value {
          return Value::boolean(f(to_double(in, a[0])))
              .with(call_provenance(in, full, a[0]));
        });
  }
  m.def(
      "isclose(a, b, *, rel_tol=1e-09, abs_tol=0.0)",
      [](Interpreter& in, Args a) -> Value {
        const double x = to_double(in, a[0]), y = to_double(in, a[1]);
        if (x == y) {
          return Value::boolean(true);
        }
        const double difference = std::abs(x - y);
        const double scale = std::max(std::abs(x), std::abs(y));
        return Value::boolean(
            std::isfinite(difference) &&
            difference <=
                std::max(to_double(in, a[2]) * scale, to_double(in, a[3])));
      });
}

void define_rest(ModuleObject& m) {
  m.def("hypot(*coordinates)", [](Interpreter& in, Args a) -> Value {
    double r = 0;
    for (const Value& v : rest(a[0])) {
      r = std::hypot(r, to_double(in, v));
    }
    return Value::real(r);
  });
  m.def("fsum(iterable, /)", [](Interpreter& in, Args a) -> Value {
    // Neumaier's compensation; exact rounding is not promised.
    double sum = 0, lost = 0;
    in.for_each(a[0], [&](Value v) {
      const double x = to_double(in, v), t = sum + x;
      lost += std::abs(sum) >= std::abs(x) ? (sum - t) + x : (x - t) + sum;
      sum = t;
    });
    return Value::real(sum + lost);
  });
  m.def("degrees(x, /)", [](Interpreter& in, Args a) -> Value {
    return Value::real(to_double(in, a[0]) * (180.0 / M_PI));
  });
  m.def("radians(x, /)", [](Interpreter& in, Args a) -> Value {
    return Value::real(to_double(in, a[0]) * (M_PI / 180.0));
  });
  m.def("modf(x, /)", [](Interpreter& in, Args a) -> Value {
    double whole = 0;
    const double part = std::modf(to_double(in, a[0]), &whole);
    return tuple({Value::real(part), Value::real(whole)});
  });
  m.def("frexp(x, /)", [](Interpreter& in, Args a) -> Value {
    int exponent = 0;
    const double part = std::frexp(to_double(in, a[0]), &exponent);
    return tuple({Value::real(part), Value::integer(exponent)});
  });
  m.def("ldexp(x, i, /)", [](Interpreter& in, Args a) -> Value {
    return Value::real(
        std::ldexp(to_double(in, a[0]), static_cast<int>(as_index(in, a[1]))));
  });
}

}  // namespace

void define_math(Interpreter&, ModuleObject& m) {
  define_functions(m);
  define_logarithms(m);
  define_rounding(m);
  define_integers(m);
  define_tests(m);
  define_rest(m);
  m.set("pi", Value::real(M_PI));
  m.set("e", Value::real(M_E));
  m.set("tau", Value::real(2 * M_PI));
  m.set("inf", Value::real(HUGE_VAL));
  m.set("nan", Value::real(std::nan("")));
}

}  // namespace portwright::eval

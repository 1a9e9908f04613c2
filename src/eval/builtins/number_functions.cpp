// abs, round, pow, divmod, min, max, sum, and text conversions of numbers.

#include <cmath>

#include "eval/builtins/support.h"
#include "eval/utf8.h"
#include "eval/wide_integer.h"

namespace portwright::eval {

namespace {

Value call_or_raise(
    Interpreter& in,
    const Value& self,
    Symbol name,
    std::string_view function,
    std::vector<Value> args = {}) {
  Value r = call_special(in, self, name, std::move(args));
  if (!r.defined()) {
    in.raise(
        "TypeError",
        fmt::format(
            "bad operand type for {}: '{}'", function, type_name(in, self)));
  }
  return r;
}

Value absolute(Interpreter& in, Args a) {
  static const Symbol name("__abs__");
  if (is_wide(in, a[0])) {
    const Value zero = Value::integer(0);
    const Value r = compare_wide(a[0], zero) < 0
                        ? number_binary(in, Operator::Sub, zero, a[0])
                        : a[0];
    return r.with(call_provenance(in, "abs", a[0]));
  }
  if (!a[0].is_number()) {
    return call_or_raise(in, a[0], name, "abs()");
  }
  const Value r =
      a[0].is_float() ? Value::real(std::abs(a[0].as_double()))
      : a[0].as_int() < 0
          ? number_binary(in, Operator::Sub, Value::integer(0), a[0])
          : Value::integer(a[0].as_int());
  return r.with(call_provenance(in, "abs", a[0]));
}

Value checked_integer(Interpreter& in, double f) {
  if (std::isnan(f)) {
    in.raise("ValueError", "cannot convert float NaN to integer");
  }
  if (std::isinf(f)) {
    in.raise("OverflowError", "cannot convert float infinity to integer");
  }
  if (std::abs(f) >= 9.2233720368547758e18) {
    return integer_from_double(in, f);
  }
  return Value::integer(static_cast<int64_t>(f));
}

// Half to even, on the exact decimal value of the double.
double round_decimal(double f, int64_t digits) {
  if (!std::isfinite(f) || digits > 320) {
    return f;
  }
  if (digits < 0) {
    const double scale = std::pow(10.0, static_cast<double>(-digits));
    return std::nearbyint(f / scale) * scale;
  }
  return std::stod(fmt::format("{:.{}f}", f, digits));
}

Value round_int(Interpreter& in, const Value& value, int64_t digits) {
  if (digits >= 0) {
    return Value::integer(value.as_int());
  }
  const Value scale = number_binary(
      in, Operator::Pow, Value::integer(10), Value::integer(-digits));
  if (!scale.is_int()) {
    in.refuse(
        diagnostics::Kind::UnsupportedOperation,
        "an integer rounded to more than 18 digits");
  }
  const int64_t s = scale.as_int(), i = value.as_int();
  int64_t down = i % s;
  down = down < 0 ? down + s : down;
  const int64_t base = i - down;
  const bool up = down * 2 > s || (down * 2 == s && (base / s) % 2 != 0);
  return Value::integer(up ? base + s : base);
}

Value round_function(Interpreter& in, Args a) {
  static const Symbol name("__round__");
  if (!a[0].is_number()) {
    return call_or_raise(
        in,
        a[0],
        name,
        "round()",
        given(a[1]) ? std::vector<Value>{a[1]} : std::vector<Value>{});
  }
  Value r;
  if (!given(a[1])) {
    r = a[0].is_float() ? checked_integer(in, std::nearbyint(a[0].as_double()))
                        : Value::integer(a[0].as_int());
    return r.with(call_provenance(in, "round", a[0]));
  }
  const int64_t digits = as_index(in, a[1]);
  r = a[0].is_float() ? Value::real(round_decimal(a[0].as_double(), digits))
                      : round_int(in, a[0], digits);
  return r.with(call_provenance(in, "round", a[0], a[1]));
}

Value power(Interpreter& in, Args a) {
  if (!given(a[2])) {
    return in.binary("**", a[0], a[1]);
  }
  int64_t base = as_index(in, a[0]), exponent = as_index(in, a[1]);
  const int64_t modulus = as_index(in, a[2]);
  if (modulus == 0 || exponent < 0) {
    in.raise("ValueError", "pow() 3rd argument or exponent is out of range");
  }
  using Wide = __int128;
  Wide result = 1, factor = base % modulus;
  for (; exponent; exponent >>= 1) {
    if (exponent & 1) {
      result = result * factor % modulus;
    }
    factor = factor * factor % modulus;
  }
  int64_t r = static_cast<int64_t>(result % modulus);
  if (r != 0 && (r < 0) != (modulus < 0)) {
    r += modulus;
  }
  return Value::integer(r);
}

Value divide_both(Interpreter& in, Args a) {
  static const Symbol name("__divmod__");
  if (!a[0].is_number() && a[0].is_object()) {
    if (Value r = call_special(in, a[0], name, {a[1]}); r.defined()) {
      return r;
    }
  }
  return tuple({in.binary("//", a[0], a[1]), in.binary("%", a[0], a[1])});
}

Value pick(Interpreter& in, const char* name, Args a) {
  const bool smallest = name[1] == 'i';
  std::vector<Value> items = rest(a[0]);
  const Value key = a[1];
  if (items.empty()) {
    in.raise(
        "TypeError",
        fmt::format("{} expected at least 1 argument, got 0", name));
  }
  const Value whole = items[0];
  const bool from_iterable = items.size() == 1;
  if (from_iterable) {
    items = in.to_vector(whole);
    if (items.empty()) {
      if (a[2].defined()) {
        return a[2];
      }
      in.raise(
          "ValueError", fmt::format("{}() arg is an empty sequence", name));
    }
  }
  Value best = items[0];
  Value best_key = given(key) ? in.call(key, {best}) : best;
  Value traced = best;  // max(max(a, b), c) so far
  for (size_t i = 1; i < items.size(); ++i) {
    const Value& item = items[i];
    const Value item_key = given(key) ? in.call(key, {item}) : item;
    traced = traced.with(call_provenance(in, name, traced, item));
    if (in.truthy(in.compare(smallest ? "<" : ">", item_key, best_key))) {
      best = item;
      best_key = item_key;
    }
  }
  if (given(key) || (best.is_object() && !best.is_str())) {
    return best;
  }
  if (from_iterable && whole.provenance()) {
    return best.with(call_provenance(in, name, whole));
  }
  return items.size() > 1 ? best.with(traced.provenance()) : best;
}

Value sum(Interpreter& in, Args a) {
  Value total = a[1];
  if (total.is_str()) {
    in.raise("TypeError", "sum() can't sum strings [use ''.join(seq) instead]");
  }
  in.for_each(a[0], [&](Value v) { total = in.binary("+", total, v); });
  return total;
}

Value ordinal(Interpreter& in, Args a) {
  const std::string& text = as_str(in, a[0]).text;
  size_t at = 0;
  const char32_t code = text.empty() ? 0 : utf8::next(text, at);
  if (text.empty() || at != text.size()) {
    in.raise(
        "TypeError",
        fmt::format(
            "ord() expected a character, but string of length {} found",
            utf8::length(text)));
  }
  return Value::integer(code);
}

Value character(Interpreter& in, Args a) {
  const int64_t code = as_index(in, a[0]);
  if (code < 0 || code > 0x10FFFF) {
    in.raise("ValueError", "chr() arg not in range(0x110000)");
  }
  return str(utf8::encode(static_cast<char32_t>(code)));
}

}  // namespace

void install_number_functions(Interpreter& interp) {
  ModuleObject& b = interp.builtins();
  b.def("abs(x, /)", absolute);
  b.def("round(number, ndigits=None)", round_function);
  b.def("pow(base, exp, mod=None)", power);
  b.def("divmod(x, y, /)", divide_both);
  b.def("min(*args, key=None, default=...)", [](Interpreter& in, Args a) {
    return pick(in, "min", a);
  });
  b.def("max(*args, key=None, default=...)", [](Interpreter& in, Args a) {
    return pick(in, "max", a);
  });
  b.def("sum(iterable, /, start=0)", sum);
  b.def("ord(c, /)", ordinal);
  b.def("chr(i, /)", character);
  constexpr std::tuple<const char*, const char*> bases[] = {
      {"bin", "#b"}, {"oct", "#o"}, {"hex", "#x"}};
  for (const auto& [name, spec] : bases) {
    b.def(
        std::string(name) + "(number, /)",
        [spec = spec](Interpreter& in, Args a) -> Value {
          return str(in.format(Value::integer(as_index(in, a[0])), spec));
        });
  }
}

}  // namespace portwright::eval

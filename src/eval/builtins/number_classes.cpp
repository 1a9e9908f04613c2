// int, float, bool: construction and methods.

#include <charconv>
#include <cmath>

#include "eval/builtins/support.h"
#include "eval/wide_integer.h"

namespace portwright::eval {

namespace {

std::string_view trimmed(std::string_view text) {
  const auto first = text.find_first_not_of(" \t\n\r\f\v");
  if (first == std::string_view::npos) {
    return {};
  }
  return text.substr(first, text.find_last_not_of(" \t\n\r\f\v") - first + 1);
}

// Underscores between digits go; anywhere else they stay and fail.
std::string without_separators(std::string_view text) {
  std::string out;
  for (size_t i = 0; i < text.size(); ++i) {
    const bool between =
        text[i] == '_' && i > 0 && i + 1 < text.size() &&
        std::isalnum(static_cast<unsigned char>(text[i - 1])) &&
        std::isalnum(static_cast<unsigned char>(text[i + 1]));
    if (!between) {
      out += text[i];
    }
  }
  return out;
}

[[noreturn]] void no_subclass(Interpreter& in, const Class& cls) {
  in.refuse(
      diagnostics::Kind::UnsupportedOperation,
      "instances of '" + cls.name +
          "', a subclass of a number, are not evaluated");
}

Value to_int(Interpreter& in, const Value& v) {
  static const Symbol int_name("__int__"), index("__index__"),
      trunc("__trunc__");
  for (Symbol name : {int_name, index, trunc}) {
    const Value r = call_special(in, v, name);
    if (r.is_integral()) {
      return Value::integer(r.as_int()).with(r.provenance());
    }
  }
  in.raise(
      "TypeError",
      fmt::format(
          "int() argument must be a string, a bytes-like object or a real "
          "number, not '{}'",
          type_name(in, v)));
}

Value float_to_int(Interpreter& in, double f) {
  return in.call(
      in.getattr(Value(static_cast<Object*>(&in.builtins())), "round"),
      {Value::real(std::trunc(f))});
}

Value new_int(Interpreter& in, Args a) {
  if (&as_class(in, a[0]) != in.types.int_) {
    no_subclass(in, as_class(in, a[0]));
  }
  const Value& v = a[1];
  if (given(a[2])) {
    return parse_int(in, as_str(in, v).text, as_index(in, a[2]));
  }
  if (v.is_int() || is_wide(in, v)) {
    return v;
  }
  if (v.is_number()) {
    return (v.is_float() ? float_to_int(in, v.as_double())
                         : Value::integer(v.as_int()))
        .with(call_provenance(in, "int", v));
  }
  if (v.is_str()) {
    return parse_int(in, v.str(), 10).with(call_provenance(in, "int", v));
  }
  return to_int(in, v);
}

Value new_float(Interpreter& in, Args a) {
  static const Symbol float_name("__float__"), index("__index__");
  if (&as_class(in, a[0]) != in.types.float_) {
    no_subclass(in, as_class(in, a[0]));
  }
  const Value& v = a[1];
  if (v.is_float()) {
    return v;
  }
  if (v.is_number()) {
    return Value::real(v.as_double()).with(call_provenance(in, "float", v));
  }
  if (is_wide(in, v)) {
    return Value::real(wide_to_double(in, v))
        .with(call_provenance(in, "float", v));
  }
  if (v.is_str()) {
    return Value::real(parse_float(in, v.str()))
        .with(call_provenance(in, "float", v));
  }
  for (Symbol name : {float_name, index}) {
    const Value r = call_special(in, v, name);
    if (r.is_number()) {
      return Value::real(r.as_double()).with(r.provenance());
    }
  }
  in.raise(
      "TypeError",
      fmt::format(
          "float() argument must be a string or a real number, not '{}'",
          type_name(in, v)));
}

Value new_bool(Interpreter& in, Args a) {
  return a[1].is_bool() ? a[1]
                        : Value::boolean(in.truthy(a[1]))
                              .with(call_provenance(in, "bool", a[1]));
}

Value number(Interpreter& in, const Value& v) {
  if (!is_numeric(in, v)) {
    in.raise("TypeError", "a number is required");
  }
  return v;
}

/// What sizes, indices and shifts are made of.
Value narrow_integer(Interpreter& in, const Value& v) {
  if (is_wide(in, v)) {
    in.refuse(
        diagnostics::Kind::UnsupportedOperation,
        "an integer beyond 64 bits where one of 64 is meant");
  }
  return Value::integer(number(in, v).as_int());
}

void install_int_methods(Interpreter& interp) {
  Class* cls = interp.types.int_;
  cls->def("bit_length(self)", [](Interpreter& in, Args a) -> Value {
    if (is_wide(in, a[0])) {
      return Value::integer(wide_bits(a[0]));
    }
    const int64_t i = as_index(in, a[0]);
    uint64_t m =
        i < 0 ? 0 - static_cast<uint64_t>(i) : static_cast<uint64_t>(i);
    int64_t bits = 0;
    for (; m; m >>= 1) {
      ++bits;
    }
    return Value::integer(bits);
  });
  cls->def("__index__(self)", [](Interpreter& in, Args a) -> Value {
    return narrow_integer(in, a[0]);
  });
  cls->def("__int__(self)", [](Interpreter& in, Args a) -> Value {
    return narrow_integer(in, a[0]);
  });
  cls->def("is_integer(self)", [](Interpreter&, Args) -> Value {
    return Value::boolean(true);
  });
}

void install_float_methods(Interpreter& interp) {
  Class* cls = interp.types.float_;
  cls->def("is_integer(self)", [](Interpreter& in, Args a) -> Value {
    const double f = number(in, a[0]).as_double();
    return Value::boolean(std::isfinite(f) && f == std::floor(f))
        .with(call_provenance(in, "float.is_integer", a[0]));
  });
  cls->def("__int__(self)", [](Interpreter& in, Args a) -> Value {
    return float_to_int(in, number(in, a[0]).as_double());
  });
  cls->def("as_integer_ratio(self)", [](Interpreter& in, Args a) -> Value {
    double f = number(in, a[0]).as_double();
    int64_t denominator = 1;
    while (f != std::floor(f) && denominator < (int64_t{1} << 60)) {
      f *= 2;
      denominator *= 2;
    }
    if (f != std::floor(f)) {
      in.refuse(
          diagnostics::Kind::UnsupportedOperation,
          "as_integer_ratio() of this float does not fit in 64 bits");
    }
    return tuple({float_to_int(in, f), Value::integer(denominator)});
  });
}

}  // namespace

Value parse_int(Interpreter& in, const std::string& text, int64_t base) {
  const int64_t asked = base;
  const auto fail = [&]() {
    in.raise(
        "ValueError",
        fmt::format(
            "invalid literal for int() with base {}: {}",
            asked,
            str_repr(text)));
  };
  std::string digits = without_separators(trimmed(text));
  bool negative = false;
  if (!digits.empty() && (digits[0] == '-' || digits[0] == '+')) {
    negative = digits[0] == '-';
    digits.erase(0, 1);
  }
  if (digits.size() > 2 && digits[0] == '0') {
    const char c = static_cast<char>(std::tolower(digits[1]));
    const int64_t prefixed = c == 'x' ? 16 : c == 'o' ? 8 : c == 'b' ? 2 : 0;
    if (prefixed && (base == 0 || base == prefixed)) {
      base = prefixed;
      digits.erase(0, 2);
    }
  }
  base = base == 0 ? 10 : base;
  if (digits.empty() || digits[0] == '-' || digits[0] == '+' || base < 2 ||
      base > 36) {
    fail();
  }
  if (negative) {
    digits.insert(0, 1, '-');
  }
  int64_t value = 0;
  const char* end = digits.data() + digits.size();
  const auto [at, error] =
      std::from_chars(digits.data(), end, value, static_cast<int>(base));
  if (error == std::errc::result_out_of_range) {
    if (at != end) {
      fail();
    }
    return integer_from_digits(in, digits, static_cast<int>(base));
  }
  if (error != std::errc() || at != end) {
    fail();
  }
  return Value::integer(value);
}

double parse_float(Interpreter& in, const std::string& text) {
  std::string s = without_separators(trimmed(text));
  std::string lower = s;
  for (char& c : lower) {
    c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  }
  const bool negative = !lower.empty() && lower[0] == '-';
  const bool signed_ = negative || (!lower.empty() && lower[0] == '+');
  const std::string body = lower.substr(signed_ ? 1 : 0);
  if (body == "inf" || body == "infinity") {
    return negative ? -HUGE_VAL : HUGE_VAL;
  }
  if (body == "nan") {
    return std::nan("");
  }
  const bool plausible =
      !body.empty() &&
      body.find_first_not_of("0123456789.e+-") == std::string::npos;
  char* end = nullptr;
  const double value = plausible ? std::strtod(body.c_str(), &end) : 0.0;
  if (!plausible || end != body.c_str() + body.size() || body[0] == '-' ||
      body[0] == '+') {
    in.raise(
        "ValueError", "could not convert string to float: " + str_repr(text));
  }
  return negative ? -value : value;
}

void install_number_classes(Interpreter& interp) {
  const Types& t = interp.types;
  t.int_->def_static("__new__(cls, x=0, /, base=None)", new_int);
  t.float_->def_static("__new__(cls, x=0.0, /)", new_float);
  t.bool_->def_static("__new__(cls, x=False, /)", new_bool);
  install_int_methods(interp);
  install_float_methods(interp);
  for (Class* cls : {t.int_, t.float_}) {
    cls->def_property("real", [](Interpreter&, Args a) { return a[0]; });
    cls->def_property("imag", [](Interpreter&, Args a) -> Value {
      return a[0].is_float() ? Value::real(0) : Value::integer(0);
    });
    cls->def("conjugate(self)", [](Interpreter&, Args a) { return a[0]; });
    cls->def("__float__(self)", [](Interpreter& in, Args a) -> Value {
      return Value::real(
          is_wide(in, a[0]) ? wide_to_double(in, a[0])
                            : number(in, a[0]).as_double());
    });
    cls->def("__bool__(self)", [](Interpreter& in, Args a) -> Value {
      return Value::boolean(in.truthy(number(in, a[0])));
    });
    cls->def("__eq__(self, other)", [](Interpreter& in, Args a) -> Value {
      const Value r = builtin_compare(in, Comparison::Eq, a[0], a[1]);
      return r.defined() ? r : Value::not_implemented();
    });
    cls->def("__hash__(self)", [](Interpreter& in, Args a) -> Value {
      return Value::integer(static_cast<int64_t>(in.hash(number(in, a[0]))));
    });
    cls->def("__repr__(self)", [](Interpreter& in, Args a) -> Value {
      return str(in.repr(number(in, a[0])));
    });
  }
  t.int_->def_property("numerator", [](Interpreter&, Args a) { return a[0]; });
  t.int_->def_property("denominator", [](Interpreter&, Args) -> Value {
    return Value::integer(1);
  });
}

}  // namespace portwright::eval

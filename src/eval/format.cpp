// format(value, spec), and "..." % arguments.

#include <charconv>
#include <cmath>

#include "eval/dispatch.h"
#include "eval/utf8.h"
#include "eval/wide_integer.h"

namespace portwright::eval {

namespace {

// [[fill]align][sign][#][0][width][grouping][.precision][type]
struct Spec {
  char32_t fill = ' ';
  char align = 0;
  char sign = 0;
  bool alternate = false;
  bool zero = false;  // a leading 0 without an alignment
  int64_t width = 0;
  char grouping = 0;
  int64_t precision = -1;
  char type = 0;
};

bool is_align(char32_t c) {
  return c == '<' || c == '>' || c == '=' || c == '^';
}

Spec parse_spec(Interpreter& interp, std::string_view text) {
  Spec spec;
  const std::u32string s = utf8::decode(text);
  size_t i = 0;
  const auto peek = [&]() -> char32_t { return i < s.size() ? s[i] : 0; };
  const auto number = [&]() {
    int64_t n = 0;
    while (peek() >= '0' && peek() <= '9') {
      n = std::min<int64_t>(n * 10 + (s[i++] - '0'), 1 << 20);
    }
    return n;
  };
  const bool own_fill = s.size() > 1 && is_align(s[1]);
  if (own_fill) {
    spec.fill = s[0];
    spec.align = static_cast<char>(s[1]);
    i = 2;
  } else if (is_align(peek())) {
    spec.align = static_cast<char>(s[i++]);
  }
  if (peek() == '+' || peek() == '-' || peek() == ' ') {
    spec.sign = static_cast<char>(s[i++]);
  }
  if (peek() == '#') {
    spec.alternate = true;
    ++i;
  }
  if (peek() == '0') {
    spec.fill = own_fill ? spec.fill : '0';
    spec.zero = !spec.align;
    ++i;
  }
  spec.width = number();
  if (peek() == ',' || peek() == '_') {
    spec.grouping = static_cast<char>(s[i++]);
  }
  if (peek() == '.') {
    ++i;
    spec.precision = number();
  }
  if (i < s.size()) {
    spec.type = static_cast<char>(s[i++]);
  }
  if (i != s.size()) {
    interp.raise("ValueError", "Invalid format specifier");
  }
  return spec;
}

std::string fill_of(const Spec& spec, int64_t count) {
  std::string out;
  for (int64_t i = 0; i < count; ++i) {
    utf8::append(out, spec.fill);
  }
  return out;
}

std::string pad(const Spec& spec, const std::string& text, char fallback) {
  const int64_t missing = spec.width - utf8::length(text);
  if (missing <= 0) {
    return text;
  }
  const char align = spec.align ? spec.align : fallback;
  const int64_t left = align == '<' ? 0 : align == '^' ? missing / 2 : missing;
  return fill_of(spec, left) + text + fill_of(spec, missing - left);
}

std::string grouped(const std::string& digits, char separator, size_t every) {
  std::string out;
  for (size_t i = 0; i < digits.size(); ++i) {
    if (i && (digits.size() - i) % every == 0) {
      out += separator;
    }
    out += digits[i];
  }
  return out;
}

// Sign, prefix, digits (`whole` and the rest) to the wanted width.
std::string finish_number(
    const Spec& spec,
    bool negative,
    const std::string& prefix,
    std::string whole,
    const std::string& rest,
    size_t every = 3) {
  const bool shown = spec.sign == '+' || spec.sign == ' ';
  std::string sign(negative || shown ? 1 : 0, negative ? '-' : spec.sign);
  sign += prefix;
  const bool zero_padded = spec.zero || (spec.align == '=' && spec.fill == '0');
  if (spec.grouping) {
    std::string text = grouped(whole, spec.grouping, every);
    // Padding zeros are grouped as digits are.
    while (zero_padded &&
           static_cast<int64_t>(sign.size() + text.size() + rest.size()) <
               spec.width) {
      whole.insert(0, 1, '0');
      text = grouped(whole, spec.grouping, every);
    }
    whole = text;
  }
  const std::string body = whole + rest;
  if (spec.zero || spec.align == '=') {
    const int64_t missing =
        spec.width - static_cast<int64_t>(sign.size() + body.size());
    return sign + fill_of(spec, missing) + body;
  }
  return pad(spec, sign + body, '>');
}

std::string magnitude(int64_t value, int base, bool upper) {
  const uint64_t m = value < 0 ? 0 - static_cast<uint64_t>(value)
                               : static_cast<uint64_t>(value);
  char buffer[72];
  std::string out(
      buffer, std::to_chars(buffer, buffer + sizeof buffer, m, base).ptr);
  if (upper) {
    for (char& c : out) {
      c = static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
    }
  }
  return out;
}

[[noreturn]] void
unknown_code(Interpreter& interp, char type, std::string_view what) {
  interp.raise(
      "ValueError",
      fmt::format(
          "Unknown format code '{}' for object of type '{}'", type, what));
}

std::string print(const char* pattern, int64_t precision, double value) {
  std::string out(400 + std::max<int64_t>(precision, 0), '\0');
  out.resize(std::snprintf(
      out.data(), out.size(), pattern, static_cast<int>(precision), value));
  return out;
}

// The digits of a finite float by type code, without sign.
std::string float_digits(Interpreter& interp, const Spec& spec, double value) {
  const int64_t precision = spec.precision < 0 ? 6 : spec.precision;
  switch (spec.type) {
    case 'f':
    case 'F':
      return print("%.*f", precision, value);
    case '%':
      return print("%.*f", precision, value * 100) + "%";
    case 'e':
      return print(spec.alternate ? "%#.*e" : "%.*e", precision, value);
    case 'E':
      return print(spec.alternate ? "%#.*E" : "%.*E", precision, value);
    case 'g':
    case 'n':
      return print(spec.alternate ? "%#.*g" : "%.*g", precision, value);
    case 'G':
      return print(spec.alternate ? "%#.*G" : "%.*G", precision, value);
    case 0: {
      if (spec.precision < 0) {
        return float_repr(value);
      }
      // As g, but with a digit after the point, or the exponent form one
      // digit earlier.
      const int64_t p = std::max<int64_t>(precision, 1);
      const std::string e = print("%.*e", p - 1, value);
      const int exponent = std::atoi(e.c_str() + e.find('e') + 1);
      std::string out = print("%.*g", p, value);
      if (exponent >= p - 1 && exponent < p) {
        out = e;
        const size_t at = out.find('e');
        std::string digits = out.substr(0, at);
        if (digits.find('.') != std::string::npos) {
          digits.erase(digits.find_last_not_of('0') + 1);
          if (digits.back() == '.') {
            digits.pop_back();
          }
        }
        return digits + out.substr(at);
      }
      return out.find_first_of(".e") == std::string::npos ? out + ".0" : out;
    }
    default:
      unknown_code(interp, spec.type, "float");
  }
}

std::string format_float(Interpreter& interp, const Spec& spec, double value) {
  const bool negative = std::signbit(value) && !std::isnan(value);
  if (spec.type &&
      std::string_view("eEfFgGn%").find(spec.type) == std::string_view::npos) {
    unknown_code(interp, spec.type, "float");
  }
  std::string digits;
  if (!std::isfinite(value)) {
    digits = std::isnan(value) ? "nan" : "inf";
    if (spec.type == '%') {
      digits += "%";
    }
    if (spec.type == 'F' || spec.type == 'E' || spec.type == 'G') {
      for (char& c : digits) {
        c = static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
      }
    }
  } else {
    digits = float_digits(interp, spec, std::abs(value));
  }
  const size_t whole = digits.find_first_not_of("0123456789");
  const std::string rest =
      whole == std::string::npos ? "" : digits.substr(whole);
  return finish_number(spec, negative, "", digits.substr(0, whole), rest);
}

std::string character(Interpreter& interp, int64_t code) {
  if (code < 0 || code > 0x10FFFF) {
    interp.raise("OverflowError", "%c arg not in range(0x110000)");
  }
  return utf8::encode(static_cast<char32_t>(code));
}

std::string format_int(Interpreter& interp, const Spec& spec, int64_t value) {
  switch (spec.type) {
    case 'e':
    case 'E':
    case 'f':
    case 'F':
    case 'g':
    case 'G':
    case '%':
      return format_float(interp, spec, static_cast<double>(value));
    default:
      break;
  }
  if (spec.precision >= 0) {
    interp.raise(
        "ValueError", "Precision not allowed in integer format specifier");
  }
  const auto based = [&](int base, const char* prefix, bool upper) {
    return finish_number(
        spec,
        value < 0,
        spec.alternate ? prefix : "",
        magnitude(value, base, upper),
        "",
        4);
  };
  switch (spec.type) {
    case 0:
    case 'd':
    case 'n':
      return finish_number(
          spec, value < 0, "", magnitude(value, 10, false), "");
    case 'b':
      return based(2, "0b", false);
    case 'o':
      return based(8, "0o", false);
    case 'x':
      return based(16, "0x", false);
    case 'X':
      return based(16, "0X", true);
    case 'c':
      return pad(spec, character(interp, value), '<');
    default:
      unknown_code(interp, spec.type, "int");
  }
}

std::string
format_text(Interpreter& interp, const Spec& spec, const std::string& text) {
  if (spec.grouping) {
    interp.raise(
        "ValueError",
        fmt::format("Cannot specify '{}' with 's'.", spec.grouping));
  }
  if (spec.type && spec.type != 's') {
    unknown_code(interp, spec.type, "str");
  }
  if (spec.sign) {
    interp.raise(
        "ValueError",
        fmt::format(
            "{} not allowed in string format specifier",
            spec.sign == ' ' ? "Space" : "Sign"));
  }
  if (spec.alternate) {
    interp.raise(
        "ValueError",
        "Alternate form (#) not allowed in string format specifier");
  }
  if (spec.align == '=') {
    interp.raise(
        "ValueError", "'=' alignment not allowed in string format specifier");
  }
  std::string shown = text;
  if (spec.precision >= 0) {
    shown.resize(utf8::offset_of(shown, spec.precision));
  }
  return pad(spec, shown, '<');
}

// ---- "..." % arguments ----

class PercentFormatter {
 public:
  PercentFormatter(
      Interpreter& interp,
      const std::string& text,
      const Value& arguments)
      : interp_(interp), text_(text), arguments_(arguments) {}

  std::string run() {
    std::string out;
    while (at_ < text_.size()) {
      const char c = text_[at_++];
      if (c == '%') {
        out += directive();
      } else {
        out += c;
      }
    }
    const bool mapping = arguments_.is(Kind::Dict);
    const size_t given =
        arguments_.is(Kind::Tuple) ? arguments_.get<Tuple>()->items.size() : 1;
    if (!mapping && !by_name_ && used_ < given) {
      interp_.raise(
          "TypeError", "not all arguments converted during string formatting");
    }
    return out;
  }

 private:
  char take() {
    if (at_ >= text_.size()) {
      interp_.raise("ValueError", "incomplete format");
    }
    return text_[at_++];
  }

  Value argument() {
    if (arguments_.is(Kind::Tuple)) {
      const auto& items = arguments_.get<Tuple>()->items;
      if (used_ < items.size()) {
        return items[used_++];
      }
    } else if (used_++ == 0) {
      return arguments_;
    }
    interp_.raise("TypeError", "not enough arguments for format string");
  }

  int64_t number(char& c) {
    if (c == '*') {
      c = take();
      return as_index(interp_, argument());
    }
    int64_t n = 0;
    while (c >= '0' && c <= '9') {
      n = std::min<int64_t>(n * 10 + (c - '0'), 1 << 20);
      c = take();
    }
    return n;
  }

  std::string directive() {
    char c = take();
    if (c == '%') {
      return "%";
    }
    Value value;
    if (c == '(') {
      std::string key;
      while ((c = take()) != ')') {
        key += c;
      }
      value = interp_.getitem(arguments_, str(key));
      by_name_ = true;
      c = take();
    }
    Spec spec;
    spec.align = '>';
    for (;; c = take()) {
      if (c == '-') {
        spec.align = '<';
      } else if (c == '0') {
        spec.zero = true;
      } else if (c == '+' || (c == ' ' && spec.sign != '+')) {
        spec.sign = c;
      } else if (c == '#') {
        spec.alternate = true;
      } else {
        break;
      }
    }
    spec.width = number(c);
    if (spec.width < 0) {
      spec.width = -spec.width;
      spec.align = '<';
    }
    if (c == '.') {
      c = take();
      spec.precision = number(c);
    }
    if (!value.defined()) {
      value = argument();
    }
    return convert(spec, c, value);
  }

  int64_t whole(char code, const Value& value) {
    if (value.is_float()) {
      return interp_
          .call(
              Value(static_cast<Object*>(interp_.types.int_)),
              std::vector<Value>{value})
          .as_int();
    }
    static const Symbol index("__index__");
    if (!value.is_integral() && !interp_.class_of(value)->lookup(index)) {
      interp_.raise(
          "TypeError",
          fmt::format(
              "%{} format: a real number is required, not {}",
              code,
              type_name(interp_, value)));
    }
    return as_index(interp_, value);
  }

  std::string convert(Spec spec, char code, const Value& value) {
    spec.zero = spec.zero && spec.align != '<';
    spec.fill = spec.zero ? '0' : ' ';
    switch (code) {
      case 's':
      case 'r':
      case 'a':
        spec = {
            .align = spec.align,
            .width = spec.width,
            .precision = spec.precision};
        return format_text(
            interp_,
            spec,
            code == 's' ? interp_.to_str(value) : interp_.repr(value));
      case 'd':
      case 'i':
      case 'u':
        spec.type = 'd';
        spec.precision = -1;
        return format_int(interp_, spec, whole(code, value));
      case 'x':
      case 'X':
      case 'o':
        spec.type = code;
        return format_int(interp_, spec, as_index(interp_, value));
      case 'c':
        if (value.is_str() && utf8::length(value.str()) != 1) {
          interp_.raise("TypeError", "%c requires int or char");
        }
        return pad(
            spec,
            value.is_str() ? value.str()
                           : character(interp_, as_index(interp_, value)),
            '>');
      case 'e':
      case 'E':
      case 'f':
      case 'F':
      case 'g':
      case 'G':
        spec.type = code;
        if (!value.is_number()) {
          interp_.raise(
              "TypeError",
              "must be real number, not " + type_name(interp_, value));
        }
        return format_float(interp_, spec, value.as_double());
      default:
        interp_.raise(
            "ValueError",
            fmt::format("unsupported format character '{}'", code));
    }
  }

  Interpreter& interp_;
  const std::string& text_;
  const Value& arguments_;
  size_t at_ = 0;
  size_t used_ = 0;
  bool by_name_ = false;
};

}  // namespace

std::string percent_format(
    Interpreter& interp,
    const std::string& text,
    const Value& arguments) {
  return PercentFormatter(interp, text, arguments).run();
}

std::string Interpreter::format(const Value& value, std::string_view spec) {
  static const Symbol name("__format__");
  if (value.is_object() && !is_plain(*this, value)) {
    const Value* method = class_of(value)->lookup(name);
    const bool own = method && method != types.object->lookup(name) &&
                     (!builtin_class(*this, value.object()) ||
                      overrides(*this, value.object(), name));
    if (own) {
      const Value r =
          call_special(*this, value, name, {str(std::string(spec))});
      if (!r.is_str()) {
        raise("TypeError", "__format__ must return a str");
      }
      return r.str();
    }
  }
  if (spec.empty()) {
    return to_str(value);
  }
  const Spec parsed = parse_spec(*this, spec);
  if (value.is_number() && parsed.grouping && parsed.type) {
    const std::string_view allowed =
        parsed.grouping == ',' ? "deEfFgG%" : "deEfFgG%boxX";
    if (allowed.find(parsed.type) == std::string_view::npos) {
      raise(
          "ValueError",
          fmt::format(
              "Cannot specify '{}' with '{}'.", parsed.grouping, parsed.type));
    }
  }
  if (value.is_float()) {
    return format_float(*this, parsed, value.as_double());
  }
  if (value.is_integral()) {
    return format_int(*this, parsed, value.as_int());
  }
  if (value.is_str()) {
    return format_text(*this, parsed, to_str(value));
  }
  if (is_wide(*this, value)) {
    refuse(
        diagnostics::Kind::UnsupportedOperation,
        "a format of an integer beyond 64 bits");
  }
  raise(
      "TypeError",
      fmt::format(
          "unsupported format string passed to {}.__format__",
          type_name(*this, value)));
}

}  // namespace portwright::eval

#include "syntax/literals.h"

#include <charconv>
#include <cstdlib>
#include <vector>

#include "syntax/unicode.h"

namespace portwright::syntax {

namespace {

// Decimal digits of an integer in another radix, by limbs of nine digits.
bool to_decimal(std::string_view digits, int radix, std::string& out) {
  constexpr uint32_t kLimb = 1000000000;
  constexpr size_t kMaxLimbs = kMaxIntegerDigits / 9 + 1;
  std::vector<uint32_t> limbs;
  for (const char c : digits) {
    uint64_t carry = c <= '9' ? c - '0' : (c | 0x20) - 'a' + 10;
    for (uint32_t& limb : limbs) {
      carry += static_cast<uint64_t>(limb) * radix;
      limb = static_cast<uint32_t>(carry % kLimb);
      carry /= kLimb;
    }
    if (carry != 0) {
      limbs.push_back(static_cast<uint32_t>(carry));
    }
    if (limbs.size() > kMaxLimbs) {
      return false;
    }
  }
  for (size_t i = limbs.size(); i-- > 0;) {
    std::string limb = std::to_string(limbs[i]);
    if (!out.empty()) {
      limb.insert(0, 9 - limb.size(), '0');
    }
    out += limb;
  }
  return out.size() <= kMaxIntegerDigits;
}

bool read_integer(std::string_view text, int radix, NumberValue& out) {
  const size_t zeros = std::min(text.find_first_not_of('0'), text.size());
  text.remove_prefix(zeros);
  const auto [end, error] = std::from_chars(
      text.data(), text.data() + text.size(), out.integer, radix);
  if (text.empty() ||
      (error == std::errc() && end == text.data() + text.size())) {
    return true;
  }
  out.integer = 0;
  out.kind = ConstantKind::BigInt;
  if (radix != 10) {
    return to_decimal(text, radix, out.digits);
  }
  out.digits = text;
  return text.size() <= kMaxIntegerDigits;
}

double read_float(const std::string& text) {
#if defined(__cpp_lib_to_chars)
  double value = 0;
  const auto [end, error] =
      std::from_chars(text.data(), text.data() + text.size(), value);
  if (error == std::errc()) {
    return value;
  }
#endif
  // Out of range: infinity, or zero.
  return std::strtod(text.c_str(), nullptr);
}

int hex_digit(char c) {
  if (c >= '0' && c <= '9') {
    return c - '0';
  }
  c = static_cast<char>(c | 0x20);
  return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

// One escape, at text[at] behind its backslash.
class Escape {
 public:
  Escape(std::string_view text, size_t at, bool bytes, std::string& out)
      : text_(text), start_(at - 1), at_(at), bytes_(bytes), out_(out) {}

  bool read(EscapeFault& fault);
  size_t end() const {
    return at_;
  }

 private:
  void append(uint32_t value) {
    if (bytes_) {
      out_ += static_cast<char>(value);
    } else {
      append_utf8(out_, value);
    }
  }
  bool octal(char first);
  bool hex(int width, EscapeFault& fault);
  bool named(EscapeFault& fault);
  bool refuse(EscapeFault& fault, std::string message) {
    fault = {start_, at_, std::move(message)};
    return false;
  }

  std::string_view text_;
  size_t start_;
  size_t at_;
  bool bytes_;
  std::string& out_;
};

bool Escape::read(EscapeFault& fault) {
  if (at_ == text_.size()) {
    out_ += '\\';
    return true;
  }
  const char c = text_[at_++];
  constexpr std::string_view kLetters = "abfnrtv\\'\"";
  constexpr std::string_view kValues = "\a\b\f\n\r\t\v\\'\"";
  if (const size_t i = kLetters.find(c); i != std::string_view::npos) {
    out_ += kValues[i];
    return true;
  }
  if (c == '\n') {
    return true;
  }
  if (c >= '0' && c <= '7') {
    return octal(c);
  }
  if (c == 'x') {
    return hex(2, fault);
  }
  if (!bytes_ && (c == 'u' || c == 'U')) {
    return hex(c == 'u' ? 4 : 8, fault);
  }
  if (!bytes_ && c == 'N') {
    return named(fault);
  }
  // An unknown escape stands for itself.
  out_ += '\\';
  out_ += c;
  return true;
}

bool Escape::octal(char first) {
  uint32_t value = first - '0';
  for (int i = 0;
       i < 2 && at_ < text_.size() && text_[at_] >= '0' && text_[at_] <= '7';
       ++i) {
    value = value * 8 + (text_[at_++] - '0');
  }
  append(value);
  return true;
}

bool Escape::hex(int width, EscapeFault& fault) {
  uint64_t value = 0;
  for (int i = 0; i < width; ++i) {
    const int digit = at_ < text_.size() ? hex_digit(text_[at_]) : -1;
    if (digit < 0) {
      return refuse(
          fault,
          width == 2   ? "truncated \\xXX escape"
          : width == 4 ? "truncated \\uXXXX escape"
                       : "truncated \\UXXXXXXXX escape");
    }
    value = value * 16 + digit;
    ++at_;
  }
  if (value > 0x10FFFF) {
    return refuse(fault, "illegal Unicode character");
  }
  append(static_cast<uint32_t>(value));
  return true;
}

bool Escape::named(EscapeFault& fault) {
  const size_t close = at_ < text_.size() && text_[at_] == '{'
                           ? text_.find('}', at_)
                           : std::string_view::npos;
  if (close == std::string_view::npos || close == at_ + 1) {
    return refuse(fault, "malformed \\N character escape");
  }
  const auto found =
      lookup_unicode_name(text_.substr(at_ + 1, close - at_ - 1));
  at_ = close + 1;
  if (!found) {
    return refuse(fault, "unknown Unicode character name");
  }
  append(*found);
  return true;
}

}  // namespace

bool read_number(std::string_view text, NumberValue& out) {
  out = NumberValue{};
  std::string plain;
  if (text.find('_') != std::string_view::npos) {
    for (const char c : text) {
      if (c != '_') {
        plain += c;
      }
    }
    text = plain;
  }
  const char letter =
      text.size() > 1 ? static_cast<char>(text[1] | 0x20) : '\0';
  if (text[0] == '0' && (letter == 'x' || letter == 'o' || letter == 'b')) {
    const int radix = letter == 'x' ? 16 : letter == 'o' ? 8 : 2;
    return read_integer(text.substr(2), radix, out);
  }
  const bool imaginary = (text.back() | 0x20) == 'j';
  if (!imaginary && text.find_first_of(".eE") == std::string_view::npos) {
    return read_integer(text, 10, out);
  }
  out.kind = imaginary ? ConstantKind::Complex : ConstantKind::Float;
  out.real = read_float(std::string(text.substr(0, text.size() - imaginary)));
  return true;
}

bool decode_escapes(
    std::string_view contents,
    bool bytes,
    std::string& out,
    EscapeFault& fault) {
  for (size_t at = 0; at < contents.size();) {
    const size_t backslash = std::min(contents.find('\\', at), contents.size());
    out.append(contents.substr(at, backslash - at));
    at = backslash;
    if (at < contents.size()) {
      Escape escape(contents, at + 1, bytes, out);
      if (!escape.read(fault)) {
        return false;
      }
      at = escape.end();
    }
  }
  return true;
}

}  // namespace portwright::syntax

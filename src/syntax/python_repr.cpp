#include "syntax/python_repr.h"

#include <fmt/format.h>

#include <cmath>

#include "syntax/unicode.h"

namespace portwright::syntax {

namespace {

char quote_for(std::string_view text) {
  return text.find('\'') != std::string_view::npos &&
                 text.find('"') == std::string_view::npos
             ? '"'
             : '\'';
}

// The escapes that strings and bytes share; false where `c` needs none of them.
bool append_escape(std::string& out, uint32_t c, char quote) {
  if (c == '\\' || c == static_cast<unsigned char>(quote)) {
    out += '\\';
    out += static_cast<char>(c);
  } else if (c == '\n') {
    out += "\\n";
  } else if (c == '\r') {
    out += "\\r";
  } else if (c == '\t') {
    out += "\\t";
  } else if (c < 32 || c == 127) {
    fmt::format_to(std::back_inserter(out), "\\x{:02x}", c);
  } else {
    return false;
  }
  return true;
}

void append_number(std::string& out, double value, bool fraction) {
  if (std::isinf(value)) {
    out += value < 0 ? "-inf" : "inf";
    return;
  }
  // fmt's shortest form changes to exponents where Python's does.
  const std::string text = fmt::format("{}", value);
  out += text;
  if (fraction && text.find_first_of(".en") == std::string::npos) {
    out += ".0";
  }
}

}  // namespace

void append_str_repr(std::string& out, std::string_view text) {
  const char quote = quote_for(text);
  out += quote;
  for (size_t at = 0; at < text.size();) {
    const size_t start = at;
    const uint32_t c = next_code_point(text, at);
    if (append_escape(out, c, quote)) {
      continue;
    }
    if (c < 128 || is_printable(c)) {
      out.append(text.substr(start, at - start));
    } else if (c < 0x100) {
      fmt::format_to(std::back_inserter(out), "\\x{:02x}", c);
    } else if (c < 0x10000) {
      fmt::format_to(std::back_inserter(out), "\\u{:04x}", c);
    } else {
      fmt::format_to(std::back_inserter(out), "\\U{:08x}", c);
    }
  }
  out += quote;
}

void append_bytes_repr(std::string& out, std::string_view bytes) {
  const char quote = quote_for(bytes);
  out += 'b';
  out += quote;
  for (const char byte : bytes) {
    const auto c = static_cast<unsigned char>(byte);
    if (append_escape(out, c, quote)) {
      continue;
    }
    if (c < 128) {
      out += byte;
    } else {
      fmt::format_to(std::back_inserter(out), "\\x{:02x}", c);
    }
  }
  out += quote;
}

void append_float_repr(std::string& out, double value) {
  append_number(out, value, true);
}

void append_constant_repr(std::string& out, const Constant& constant) {
  switch (constant.value_kind) {
    case ConstantKind::None:
      out += "None";
      return;
    case ConstantKind::True:
      out += "True";
      return;
    case ConstantKind::False:
      out += "False";
      return;
    case ConstantKind::Ellipsis:
      out += "Ellipsis";
      return;
    case ConstantKind::Int:
      out += std::to_string(constant.int_value);
      return;
    case ConstantKind::BigInt:
      out += constant.text;
      return;
    case ConstantKind::Float:
      return append_number(out, constant.float_value, true);
    case ConstantKind::Complex:
      append_number(out, constant.float_value, false);
      out += 'j';
      return;
    case ConstantKind::Str:
      return append_str_repr(out, constant.text);
    case ConstantKind::Bytes:
      return append_bytes_repr(out, constant.text);
  }
}

}  // namespace portwright::syntax

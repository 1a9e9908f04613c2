#include <fmt/format.h>

#include <cmath>

#include "syntax/printer_impl.h"
#include "syntax/python_repr.h"
#include "syntax/unicode.h"

namespace portwright::syntax {

namespace {

// The colon of a lambda would begin the format specification.
bool ends_in_lambda(const Expr& expr) {
  const Expr* last = &expr;
  while (last->kind == ExprKind::IfExp) {
    last = as<IfExp>(*last).orelse;
  }
  return last->kind == ExprKind::Lambda;
}

}  // namespace

void Printer::constant(const Constant& c) {
  switch (c.value_kind) {
    case ConstantKind::Ellipsis:
      return write("...");
    case ConstantKind::Str:
      write(c.u_prefix ? "u" : "");
      return string(c.text, false);
    case ConstantKind::Bytes:
      write("b");
      return string(c.text, true);
    case ConstantKind::Float:
    case ConstantKind::Complex:
      if (std::isinf(c.float_value)) {
        return write(c.value_kind == ConstantKind::Float ? "1e309" : "1e309j");
      }
      break;
    default:
      break;
  }
  append_constant_repr(out_, c);
}

// Double quotes, unless single ones save escapes or an f-string stands around.
void Printer::string(std::string_view text, bool bytes) {
  char quote = '"';
  if (outer_quote_ == '"' ||
      (outer_quote_ == '\0' && text.find('"') != std::string_view::npos &&
       text.find('\'') == std::string_view::npos)) {
    quote = '\'';
  }
  out_ += quote;
  escaped(text, quote, bytes, 0);
  out_ += quote;
}

// `braces`: 0 as they are, 1 doubled (f-string), 2 as escapes (its format
// specification).
void Printer::escaped(
    std::string_view text,
    char quote,
    bool bytes,
    int braces) {
  for (size_t at = 0; at < text.size();) {
    const size_t start = at;
    const uint32_t c = bytes ? static_cast<unsigned char>(text[at++])
                             : next_code_point(text, at);
    auto out = std::back_inserter(out_);
    if (c == '\\' || c == static_cast<unsigned char>(quote)) {
      fmt::format_to(out, "\\{}", static_cast<char>(c));
    } else if (c == '\n') {
      write("\\n");
    } else if (c == '\t') {
      write("\\t");
    } else if (c == '\r') {
      write("\\r");
    } else if ((c == '{' || c == '}') && braces == 1) {
      out_.append(2, static_cast<char>(c));
    } else if (
        c < 32 || c == 127 || ((c == '{' || c == '}') && braces == 2) ||
        (bytes && c > 127)) {
      fmt::format_to(out, "\\x{:02x}", c);
    } else if (c < 128 || is_printable(c)) {
      write(text.substr(start, at - start));
    } else if (c < 0x100) {
      fmt::format_to(out, "\\x{:02x}", c);
    } else if (c < 0x10000) {
      fmt::format_to(out, "\\u{:04x}", c);
    } else {
      fmt::format_to(out, "\\U{:08x}", c);
    }
  }
}

void Printer::joined(const JoinedStr& e) {
  for (const Expr* part : e.values) {
    // The mark of `u"" f"..."` shows on the text inside.
    if (part->kind == ExprKind::Constant && as<Constant>(*part).u_prefix) {
      write("u\"\" ");
      break;
    }
  }
  const char quote = outer_quote_ == '"' ? '\'' : '"';
  const char outer = std::exchange(outer_quote_, quote);
  out_ += e.kind == ExprKind::TemplateStr ? 't' : 'f';
  out_ += quote;
  pieces(e, quote, false);
  out_ += quote;
  outer_quote_ = outer;
}

void Printer::pieces(const JoinedStr& e, char quote, bool spec) {
  for (const Expr* part : e.values) {
    if (part->kind == ExprKind::Constant) {
      escaped(as<Constant>(*part).text, quote, false, spec ? 2 : 1);
    } else {
      field(*part, quote);
    }
  }
}

// A replacement field. The source text of an Interpolation is part of it.
void Printer::field(const Expr& expr, char quote) {
  write("{");
  int conversion = -1;
  const Expr* spec = nullptr;
  if (expr.kind == ExprKind::Interpolation) {
    const auto& e = as<Interpolation>(expr);
    write(e.str);
    conversion = e.conversion;
    spec = e.format_spec;
  } else {
    const auto& e = as<FormattedValue>(expr);
    const size_t before = out_.size();
    expression(*e.value, ends_in_lambda(*e.value) ? Level::Or : Level::Test);
    if (out_[before] == '{') {
      out_.insert(before, 1, ' ');
    }
    conversion = e.conversion;
    spec = e.format_spec;
  }
  if (conversion != -1) {
    out_ += '!';
    out_ += static_cast<char>(conversion);
  }
  if (spec != nullptr) {
    write(":");
    pieces(as<JoinedStr>(*spec), quote, true);
  }
  write("}");
}

// A string statement of several lines, in triple quotes where it can be
// written without escapes.
bool Printer::docstring(const Expr& expr) {
  if (expr.kind != ExprKind::Constant) {
    return false;
  }
  const auto& c = as<Constant>(expr);
  if (c.value_kind != ConstantKind::Str || c.u_prefix ||
      c.text.find('\n') == std::string_view::npos || c.text.back() == '"' ||
      c.text.find('\\') != std::string_view::npos ||
      c.text.find("\"\"\"") != std::string_view::npos) {
    return false;
  }
  for (size_t at = 0; at < c.text.size();) {
    const uint32_t code_point = next_code_point(c.text, at);
    if (code_point != '\n' && !is_printable(code_point)) {
      return false;
    }
  }
  write("\"\"\"");
  write(c.text);
  write("\"\"\"");
  return true;
}

}  // namespace portwright::syntax

#include "diagnostics/diagnostic.h"

#include <nlohmann/json.hpp>

namespace portwright::diagnostics {

std::string_view name(Kind kind) {
  switch (kind) {
#define X(kind_name, text) \
  case Kind::kind_name:    \
    return text;
    PW_DIAGNOSTIC_KINDS(X)
#undef X
  }
  return "unknown";
}

namespace {

constexpr std::string_view kRed = "\033[1;31m";
constexpr std::string_view kBlue = "\033[34m";
constexpr std::string_view kBold = "\033[1m";
constexpr std::string_view kReset = "\033[0m";

// Carets are counted in code points, as terminals show them.
size_t code_points(std::string_view text) {
  size_t n = 0;
  for (const char c : text) {
    n += (static_cast<unsigned char>(c) & 0xC0) != 0x80;
  }
  return n;
}

void append_excerpt(std::string& out, const base::Span& span, bool color) {
  const auto begin = span.file->position(span.begin);
  const auto end = span.file->position(span.end);
  const std::string_view line = span.file->line(begin.line);
  const std::string number = std::to_string(begin.line);
  const std::string gutter(number.size(), ' ');
  const size_t column = std::min<size_t>(begin.column, line.size());
  const size_t stop = end.line == begin.line
                          ? std::min<size_t>(end.column, line.size())
                          : line.size();
  const size_t width =
      std::max<size_t>(1, code_points(line.substr(column, stop - column)));
  std::string pad;
  for (const char c : line.substr(0, column)) {
    if ((static_cast<unsigned char>(c) & 0xC0) != 0x80) {
      pad += c == '\t' ? '\t' : ' ';
    }
  }
  const std::string_view blue = color ? kBlue : "";
  const std::string_view red = color ? kRed : "";
  const std::string_view reset = color ? kReset : "";
  out.append(" ").append(blue).append(number).append(" |").append(reset);
  out.append(" ").append(line).append("\n");
  out.append(" ").append(blue).append(gutter).append(" |").append(reset);
  out.append(" ").append(pad).append(red).append(width, '^').append(reset);
  out.append("\n");
}

}  // namespace

std::string render_text(const Diagnostic& d, bool color) {
  std::string out;
  out.append(color ? kRed : "")
      .append("error[")
      .append(name(d.kind))
      .append("]")
      .append(color ? kReset : "")
      .append(color ? kBold : "")
      .append(": ")
      .append(d.message)
      .append(color ? kReset : "")
      .append("\n");
  if (d.span) {
    out.append("  --> ").append(base::to_string(d.span)).append("\n");
    append_excerpt(out, d.span, color);
  }
  size_t shown = 0;
  for (const auto& span : d.called_from) {
    if (++shown > 4) {
      out.append("  ... ")
          .append(std::to_string(d.called_from.size() - 4))
          .append(" more calls\n");
      break;
    }
    out.append("  called from ").append(base::to_string(span)).append("\n");
  }
  if (!d.hint.empty()) {
    out.append("  hint: ").append(d.hint).append("\n");
  }
  return out;
}

std::string render_json(const Diagnostic& d) {
  nlohmann::ordered_json out;
  out["kind"] = name(d.kind);
  out["message"] = d.message;
  if (d.span) {
    const auto at = d.span.file->position(d.span.begin);
    out["file"] = d.span.file->path();
    out["line"] = at.line;
    out["column"] = at.column + 1;
  } else {
    out["file"] = nullptr;
    out["line"] = nullptr;
    out["column"] = nullptr;
  }
  out["construct"] = !d.construct.empty() || !d.span
                         ? d.construct
                         : std::string(d.span.text());
  out["hint"] = d.hint;
  return out.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

}  // namespace portwright::diagnostics

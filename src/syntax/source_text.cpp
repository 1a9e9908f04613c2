#include "syntax/source_text.h"

#include <fmt/format.h>

#include <cstring>
#include <optional>

#include "syntax/unicode.h"

namespace portwright::syntax {

namespace {

using diagnostics::Kind;

constexpr size_t kMaxSize = size_t{1} << 30;
constexpr std::string_view kMark = "\xEF\xBB\xBF";

enum class Encoding { Utf8, Latin1, Ascii, Unknown };

// Line ends become '\n', as Python's own reader makes them.
void unify_lines(std::string& text) {
  const size_t first = text.find('\r');
  if (first == std::string::npos) {
    return;
  }
  size_t to = first;
  for (size_t from = first; from < text.size(); ++from) {
    char c = text[from];
    if (c == '\r') {
      c = '\n';
      from += from + 1 < text.size() && text[from + 1] == '\n';
    }
    text[to++] = c;
  }
  text.resize(to);
}

bool is_blank(char c) {
  return c == ' ' || c == '\t' || c == '\f';
}

// ^[ \t\f]*#.*?coding[:=][ \t]*([-_.a-zA-Z0-9]+)
std::optional<std::string_view> coding_in(std::string_view line) {
  size_t at = 0;
  while (at < line.size() && is_blank(line[at])) {
    ++at;
  }
  if (at == line.size() || line[at] != '#') {
    return std::nullopt;
  }
  for (at = line.find("coding", at); at != std::string_view::npos;
       at = line.find("coding", at + 1)) {
    size_t begin = at + 6;
    if (begin >= line.size() || (line[begin] != ':' && line[begin] != '=')) {
      continue;
    }
    ++begin;
    while (begin < line.size() && (line[begin] == ' ' || line[begin] == '\t')) {
      ++begin;
    }
    size_t end = begin;
    while (end < line.size() &&
           (std::isalnum(static_cast<unsigned char>(line[end])) ||
            line[end] == '-' || line[end] == '_' || line[end] == '.')) {
      ++end;
    }
    if (end > begin) {
      return line.substr(begin, end - begin);
    }
  }
  return std::nullopt;
}

bool only_blank_or_comment(std::string_view line) {
  for (const char c : line) {
    if (!is_blank(c)) {
      return c == '#';
    }
  }
  return true;
}

// The name in a coding line: one of the first two, and the second only where
// the first holds no code.
std::optional<std::string_view> declared_coding(std::string_view text) {
  for (int number = 0; number < 2; ++number) {
    const size_t end = std::min(text.find('\n'), text.size());
    const std::string_view line = text.substr(0, end);
    if (const auto found = coding_in(line)) {
      return found;
    }
    if (!only_blank_or_comment(line) || end == text.size()) {
      return std::nullopt;
    }
    text.remove_prefix(end + 1);
  }
  return std::nullopt;
}

Encoding encoding_of(std::string_view name) {
  std::string plain;
  for (const char c : name) {
    plain += c == '_' ? '-' : static_cast<char>(std::tolower(c));
  }
  const auto is = [&](std::initializer_list<std::string_view> names) {
    return std::find(names.begin(), names.end(), plain) != names.end();
  };
  if (is({"utf-8", "utf8", "utf-8-sig", "u8", "utf", "cp65001", "utf8-ucs4"}) ||
      plain.starts_with("utf-8-")) {
    return Encoding::Utf8;
  }
  if (is({"latin-1",
          "iso-8859-1",
          "iso-latin-1",
          "latin1",
          "iso8859-1",
          "iso88591",
          "8859",
          "cp819",
          "l1",
          "latin"}) ||
      plain.starts_with("latin-1-") || plain.starts_with("iso-8859-1-") ||
      plain.starts_with("iso-latin-1-")) {
    return Encoding::Latin1;
  }
  if (is({"ascii", "us-ascii", "646", "ansi-x3.4-1968", "iso646-us"})) {
    return Encoding::Ascii;
  }
  return Encoding::Unknown;
}

std::string from_latin1(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  for (const char c : text) {
    append_utf8(out, static_cast<unsigned char>(c));
  }
  return out;
}

struct Fault {
  size_t at;
  std::string message;
  std::string hint;
  Kind kind = Kind::SourceEncoding;
};

// Decodes in place; the fault keeps what follows from being read.
std::optional<Fault> decode(std::string& text) {
  if (text.size() > kMaxSize) {
    text.clear();
    return Fault{
        0, "source file is larger than 1 GiB", "", Kind::LimitExceeded};
  }
  const bool marked = text.starts_with(kMark);
  if (marked) {
    text.erase(0, kMark.size());
  }
  unify_lines(text);
  if (const size_t nul = text.find('\0'); nul != std::string::npos) {
    return Fault{
        nul, "source code cannot contain null bytes", "", Kind::SyntaxError};
  }
  Encoding encoding = Encoding::Utf8;
  if (const auto name = declared_coding(text)) {
    encoding = encoding_of(*name);
    const auto at = static_cast<size_t>(name->data() - text.data());
    if (encoding == Encoding::Unknown) {
      return Fault{
          at,
          fmt::format("unsupported source encoding '{}'", *name),
          "store the file as UTF-8"};
    }
    if (marked && encoding != Encoding::Utf8) {
      return Fault{
          at,
          fmt::format("encoding '{}' contradicts the byte order mark", *name),
          "declare utf-8, or remove the declaration"};
    }
  }
  if (encoding == Encoding::Latin1) {
    text = from_latin1(text);
    return std::nullopt;
  }
  const auto bad = find_invalid_utf8(text);
  if (bad) {
    return Fault{
        *bad,
        fmt::format(
            "byte 0x{:02x} is not valid UTF-8",
            static_cast<unsigned char>(text[*bad])),
        "store the file as UTF-8, or declare its encoding in the first line"};
  }
  if (encoding == Encoding::Ascii) {
    for (size_t i = 0; i < text.size(); ++i) {
      if (static_cast<unsigned char>(text[i]) >= 128) {
        return Fault{
            i,
            "a character outside ASCII in a file declared as ASCII",
            "declare utf-8 instead"};
      }
    }
  }
  return std::nullopt;
}

}  // namespace

std::shared_ptr<const base::SourceFile> decode_source(
    std::string path,
    std::string bytes,
    std::vector<diagnostics::Diagnostic>& diagnostics) {
  const auto fault = decode(bytes);
  if (!fault) {
    return std::make_shared<base::SourceFile>(
        std::move(path), std::move(bytes));
  }
  // The excerpt is shown with the bytes that are no text replaced.
  for (auto bad = find_invalid_utf8(bytes); bad;
       bad = find_invalid_utf8(bytes, *bad)) {
    bytes[*bad] = '?';
  }
  auto source =
      std::make_shared<base::SourceFile>(std::move(path), std::move(bytes));
  const auto at = static_cast<uint32_t>(fault->at);
  diagnostics.push_back(
      {fault->kind, fault->message, {source.get(), at, at + 1}, fault->hint});
  return source;
}

}  // namespace portwright::syntax

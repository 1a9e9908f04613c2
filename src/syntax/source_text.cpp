#include "syntax/source_text.h"

#include <fmt/format.h>

#include <cctype>
#include <optional>

#include "syntax/unicode.h"
#include "syntax/unicode_tables.h"

namespace portwright::syntax {

namespace {

using diagnostics::Kind;

constexpr size_t kMaxSize = size_t{1} << 30;
constexpr std::string_view kMark = "\xEF\xBB\xBF";

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

// As Python looks names up: lower case, anything else than letters, digits and
// points as underscores.
std::string plain_name(std::string_view name) {
  std::string plain;
  for (const char c : name) {
    const bool word = std::isalnum(static_cast<unsigned char>(c)) || c == '.';
    if (word) {
      plain += static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
    } else if (!plain.empty() && plain.back() != '_') {
      plain += '_';
    }
  }
  return plain;
}

bool is_utf8(std::string_view plain) {
  for (const std::string_view name :
       {"utf_8", "utf8", "utf_8_sig", "u8", "utf", "cp65001"}) {
    if (plain == name) {
      return true;
    }
  }
  return plain.starts_with("utf_8_");
}

// The row of kHighHalves for a single-byte encoding.
std::optional<int> row_of(std::string_view plain) {
  for (const std::string_view name : {"latin_1", "iso_8859_1", "iso_latin_1"}) {
    if (plain.starts_with(name) && plain.substr(name.size()).starts_with('_')) {
      return row_of("latin_1");
    }
  }
  for (size_t i = 0; i < tables::kEncodingsSize; ++i) {
    if (tables::kEncodings[i].name == plain) {
      return tables::kEncodings[i].row;
    }
  }
  return std::nullopt;
}

// Decodes in place. Offset of the first byte that means nothing.
std::optional<size_t> from_single_bytes(std::string& text, int row) {
  std::string out;
  out.reserve(text.size());
  for (size_t at = 0; at < text.size(); ++at) {
    const auto byte = static_cast<unsigned char>(text[at]);
    const uint32_t c =
        byte < 128 ? byte : tables::kHighHalves[row * 128 + byte - 128];
    if (c == 0) {
      return at;
    }
    append_utf8(out, c);
  }
  text = std::move(out);
  return std::nullopt;
}

struct Fault {
  size_t at;
  std::string message;
  std::string hint;
  Kind kind = Kind::SourceEncoding;
};

std::optional<Fault> decode_single_bytes(
    std::string& text,
    size_t at,
    const std::string& shown,
    std::string_view plain) {
  const auto row = row_of(plain);
  if (!row) {
    return Fault{
        at,
        fmt::format("unsupported source encoding '{}'", shown),
        "store the file as UTF-8"};
  }
  const auto bad = from_single_bytes(text, *row);
  if (bad) {
    return Fault{
        *bad,
        fmt::format(
            "byte 0x{:02x} means nothing in the encoding '{}'",
            static_cast<unsigned char>(text[*bad]),
            shown),
        "declare the encoding that the file is in, or store it as UTF-8"};
  }
  return std::nullopt;
}

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
  if (const auto name = declared_coding(text)) {
    const std::string shown(*name);
    const std::string plain = plain_name(shown);
    const auto at = static_cast<size_t>(name->data() - text.data());
    // Beside the mark, CPython takes no other spelling.
    if (marked && plain != "utf_8" && !plain.starts_with("utf_8_")) {
      return Fault{
          at,
          fmt::format("encoding '{}' contradicts the byte order mark", shown),
          "declare utf-8, or remove the declaration"};
    }
    if (!is_utf8(plain)) {
      return decode_single_bytes(text, at, shown, plain);
    }
  }
  if (const auto bad = find_invalid_utf8(text)) {
    return Fault{
        *bad,
        fmt::format(
            "byte 0x{:02x} is not valid UTF-8",
            static_cast<unsigned char>(text[*bad])),
        "store the file as UTF-8, or declare its encoding in the first line"};
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

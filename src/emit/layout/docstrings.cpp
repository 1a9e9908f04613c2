#include <algorithm>

#include "emit/layout/line.h"
#include "emit/layout/strings.h"
#include "syntax/unicode.h"

namespace portwright::emit::printing {

namespace {

constexpr std::string_view kBlanks = " \t\n\r\f\v";

std::string_view strip_left(std::string_view text) {
  const size_t at = text.find_first_not_of(kBlanks);
  return at == std::string_view::npos ? std::string_view{} : text.substr(at);
}

std::string_view strip_right(std::string_view text) {
  return text.substr(0, text.find_last_not_of(kBlanks) + 1);
}

// Lines with the tabs before their text as blanks.
std::vector<std::string> expanded_lines(std::string_view text) {
  std::vector<std::string> out;
  while (true) {
    const size_t end = text.find('\n');
    const std::string_view line = text.substr(0, end);
    const std::string_view content = strip_left(line);
    if (content.empty() || content.size() == line.size()) {
      out.emplace_back(line);
    } else {
      std::string margin;
      for (char c : line.substr(0, line.size() - content.size())) {
        margin.append(c == '\t' ? 8 - margin.size() % 8 : 1, ' ');
      }
      out.push_back(margin.append(content));
    }
    if (end == std::string_view::npos) {
      return out;
    }
    text.remove_prefix(end + 1);
  }
}

// The least indentation of all lines but the first becomes `indent`.
std::string reindent(std::string_view text, size_t indent) {
  const std::vector<std::string> lines = expanded_lines(text);
  size_t least = std::string::npos;
  for (size_t i = 1; i < lines.size(); ++i) {
    const std::string_view content = strip_left(lines[i]);
    if (!content.empty()) {
      least = std::min(least, lines[i].size() - content.size());
    }
  }
  std::string out(strip_right(strip_left(lines[0])));
  if (least == std::string::npos) {
    // Without text below the first line only the closing quotes' line stays.
    return out;
  }
  const std::string margin(indent, ' ');
  for (size_t i = 1; i < lines.size(); ++i) {
    const std::string_view line = lines[i];
    const std::string_view content =
        strip_right(line.substr(std::min(least, line.size())));
    out += '\n';
    if (!content.empty() || i + 1 == lines.size()) {
      out.append(margin).append(content);
    }
  }
  return out;
}

}  // namespace

std::string normalize_docstring(std::string_view source, size_t indent) {
  const std::string text = normalize_quotes(normalize_prefix(source));
  const std::string prefix(string_prefix(text));
  const char mark = text[prefix.size()];
  const size_t quote_length = text[prefix.size() + 1] == mark ? 3 : 1;
  if (text.size() < prefix.size() + 2 * quote_length) {
    return prefix + std::string(6, mark);  // of the empty string
  }
  const std::string quote(quote_length, mark);
  std::string body = text.substr(
      prefix.size() + quote_length,
      text.size() - prefix.size() - 2 * quote_length);
  const bool began_empty = body.empty();
  if (has_triple_quotes(text) && body.find('\n') != std::string::npos) {
    body = reindent(body, indent);
  } else {
    body = strip_right(strip_left(body));
  }
  bool trailing_backslash = false;
  if (!body.empty()) {
    if (body.front() == mark) {
      body.insert(0, " ");
    }
    if (body.back() == mark) {
      body += ' ';
    }
    const size_t backslashes = body.size() - 1 - body.find_last_not_of('\\');
    if (backslashes % 2 == 1) {
      body += ' ';
      trailing_backslash = true;
    }
  } else if (!began_empty) {
    body = " ";
  }
  if (quote_length == 3) {
    const size_t last_break = body.rfind('\n');
    const bool several = last_break != std::string::npos;
    const size_t last_length =
        text_length(several ? body.substr(last_break + 1) : body);
    if (several && last_length + quote_length > kLineLength &&
        !trailing_backslash) {
      body += '\n';
      body.append(indent, ' ');
    }
  }
  return prefix + quote + body + quote;
}

size_t text_length(std::string_view text) {
  return static_cast<size_t>(std::count_if(
      text.begin(), text.end(), [](char c) { return (c & 0xC0) != 0x80; }));
}

size_t text_width(std::string_view text) {
  if (std::all_of(text.begin(), text.end(), [](char c) { return c >= 0; })) {
    return text.size();
  }
  size_t width = 0;
  for (size_t at = 0; at < text.size();) {
    const uint32_t c = syntax::next_code_point(text, at);
    const bool combining =
        (c >= 0x300 && c <= 0x36F) || (c >= 0x200B && c <= 0x200F) ||
        (c >= 0x20D0 && c <= 0x20FF) || (c >= 0xFE00 && c <= 0xFE0F);
    const bool wide =
        (c >= 0x1100 && c <= 0x115F) || (c >= 0x2E80 && c <= 0xA4CF) ||
        (c >= 0xAC00 && c <= 0xD7A3) || (c >= 0xF900 && c <= 0xFAFF) ||
        (c >= 0xFE30 && c <= 0xFE6F) || (c >= 0xFF00 && c <= 0xFF60) ||
        (c >= 0xFFE0 && c <= 0xFFE6) || (c >= 0x1F300 && c <= 0x1F64F) ||
        (c >= 0x1F680 && c <= 0x1F6FF) || (c >= 0x1F900 && c <= 0x1F9FF) ||
        (c >= 0x20000 && c <= 0x3FFFD) || c == 0x2705 || c == 0x274C ||
        c == 0x2728 || c == 0x26A1;
    width += combining ? 0 : wide ? 2 : 1;
  }
  return width;
}

}  // namespace portwright::emit::printing

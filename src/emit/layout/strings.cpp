#include "emit/layout/strings.h"

#include <algorithm>
#include <cctype>

namespace portwright::emit::printing {

std::string_view string_prefix(std::string_view text) {
  return text.substr(0, text.find_first_of("\"'"));
}

bool has_triple_quotes(std::string_view text) {
  const std::string_view quotes =
      text.substr(string_prefix(text).size()).substr(0, 3);
  return quotes == "\"\"\"" || quotes == "'''";
}

std::string normalize_prefix(std::string_view text) {
  const std::string_view prefix = string_prefix(text);
  std::string out;
  for (char c : prefix) {
    if (c == 'F' || c == 'B') {
      out += static_cast<char>(std::tolower(c));
    } else if (c != 'u' && c != 'U') {
      out += c;
    }
  }
  if (out.size() == 2 && std::tolower(out[0]) != 'r') {
    std::swap(out[0], out[1]);
  }
  return out.append(text.substr(prefix.size()));
}

std::string lowered(std::string_view text) {
  std::string out(text);
  std::transform(out.begin(), out.end(), out.begin(), [](unsigned char c) {
    return static_cast<char>(std::tolower(c));
  });
  return out;
}

namespace {

size_t count_backslashes(std::string_view text) {
  return static_cast<size_t>(std::count(text.begin(), text.end(), '\\'));
}

bool has_unescaped(std::string_view body, std::string_view quote) {
  for (size_t i = 0; i < body.size(); ++i) {
    if (body[i] == '\\') {
      ++i;
    } else if (body.substr(i, quote.size()) == quote) {
      return true;
    }
  }
  return false;
}

// Takes the backslash off each escaped `quote`.
std::string unescape(std::string_view body, std::string_view quote) {
  std::string out;
  for (size_t i = 0; i < body.size(); ++i) {
    if (body[i] == '\\' && body.substr(i + 1, quote.size()) == quote) {
      out += quote;
      i += quote.size();
    } else if (body[i] == '\\' && i + 1 < body.size()) {
      out += body[i];
      out += body[++i];
    } else {
      out += body[i];
    }
  }
  return out;
}

std::string escape(std::string_view body, std::string_view quote) {
  std::string out;
  for (size_t i = 0; i < body.size(); ++i) {
    if (body[i] == '\\' && i + 1 < body.size()) {
      out += body[i];
      out += body[++i];
    } else if (body.substr(i, quote.size()) == quote) {
      out += '\\';
      out += quote;
      i += quote.size() - 1;
    } else {
      out += body[i];
    }
  }
  return out;
}

// Whether a replacement field of an f-string's body holds a backslash.
bool field_has_backslash(std::string_view body) {
  for (size_t i = 0; i < body.size(); ++i) {
    if (body[i] != '{') {
      continue;
    }
    if (i + 1 < body.size() && body[i + 1] == '{') {
      ++i;
      continue;
    }
    const size_t close = body.find('}', i);
    if (body.substr(i, close - i).find('\\') != std::string_view::npos) {
      return true;
    }
    if (close == std::string_view::npos) {
      return false;
    }
    i = close;
  }
  return false;
}

}  // namespace

std::string normalize_quotes(std::string_view text) {
  const std::string_view prefix = string_prefix(text);
  const std::string_view quoted = text.substr(prefix.size());
  const bool triple = has_triple_quotes(text);
  if (triple && quoted[0] == '"') {
    return std::string(text);
  }
  const std::string old_quote(triple ? 3 : 1, quoted[0]);
  const std::string new_quote(triple ? 3 : 1, quoted[0] == '"' ? '\'' : '"');
  std::string body(
      quoted.substr(old_quote.size(), quoted.size() - 2 * old_quote.size()));
  std::string kept(text);
  std::string changed = body;
  const auto has = [&](char low, char high) {
    return prefix.find(low) != std::string_view::npos ||
           prefix.find(high) != std::string_view::npos;
  };
  if (has('r', 'R')) {
    if (has_unescaped(body, new_quote)) {
      return kept;
    }
  } else {
    changed = unescape(body, new_quote);
    if (changed != body) {
      body = changed;
      kept = std::string(prefix) + old_quote + body + old_quote;
    }
    changed = escape(unescape(changed, old_quote), new_quote);
  }
  if (has('f', 'F') && field_has_backslash(changed)) {
    return kept;
  }
  if (triple && !changed.empty() && changed.back() == '"') {
    changed.insert(changed.size() - 1, "\\");
  }
  const size_t before = count_backslashes(body);
  const size_t after = count_backslashes(changed);
  if (after > before || (after == before && old_quote == "\"")) {
    return kept;
  }
  return std::string(prefix) + new_quote + changed + new_quote;
}

std::string normalize_escapes(std::string_view text) {
  std::string out(text);
  const std::string_view prefix = string_prefix(text);
  if (prefix.find_first_of("rR") != std::string_view::npos ||
      text.find('\\') == std::string_view::npos) {
    return out;
  }
  const bool bytes = prefix.find_first_of("bB") != std::string_view::npos;
  for (size_t i = prefix.size(); i + 1 < out.size(); ++i) {
    if (out[i] != '\\') {
      continue;
    }
    const char kind = out[++i];
    const size_t digits = kind == 'x'             ? 2
                          : kind == 'u' && !bytes ? 4
                          : kind == 'U' && !bytes ? 8
                                                  : 0;
    const auto begin = out.begin() + static_cast<std::ptrdiff_t>(i) + 1;
    if (digits > 0 && i + digits < out.size() &&
        std::all_of(
            begin, begin + static_cast<std::ptrdiff_t>(digits), [](char c) {
              return std::isxdigit(static_cast<unsigned char>(c));
            })) {
      for (size_t k = 1; k <= digits; ++k) {
        out[i + k] = static_cast<char>(std::tolower(out[i + k]));
      }
    } else if (
        kind == 'N' && !bytes && i + 1 < out.size() && out[i + 1] == '{') {
      for (++i; i < out.size() && out[i] != '}'; ++i) {
        out[i] = static_cast<char>(std::toupper(out[i]));
      }
    }
  }
  return out;
}

namespace {

// Digits on both sides of the point.
std::string with_digits(std::string_view text) {
  const size_t point = text.find('.');
  if (point == std::string_view::npos) {
    return std::string(text);
  }
  std::string out(point == 0 ? "0" : text.substr(0, point));
  out += '.';
  const std::string_view after = text.substr(point + 1);
  return out.append(after.empty() ? "0" : after);
}

}  // namespace

std::string normalize_number(std::string_view text) {
  std::string out = lowered(text);
  if (out.starts_with("0o") || out.starts_with("0b")) {
    return out;
  }
  if (out.starts_with("0x")) {
    std::transform(
        out.begin() + 2, out.end(), out.begin() + 2, [](unsigned char c) {
          return static_cast<char>(std::toupper(c));
        });
    return out;
  }
  const size_t exponent = out.find('e');
  if (exponent != std::string::npos) {
    std::string power = out.substr(exponent + 1);
    if (power.starts_with('+')) {
      power.erase(0, 1);
    }
    return with_digits(std::string_view(out).substr(0, exponent)) + "e" + power;
  }
  if (out.ends_with('j')) {
    return with_digits(std::string_view(out).substr(0, out.size() - 1)) + "j";
  }
  return with_digits(out);
}

std::string normalize_comment(std::string_view text) {
  text.remove_prefix(1);
  text = text.substr(0, text.find_last_not_of(" \t\r\f\v") + 1);
  constexpr std::string_view kNoBreakSpace = "\xc2\xa0";
  if (text.starts_with(kNoBreakSpace)) {
    return "# " + std::string(text.substr(kNoBreakSpace.size()));
  }
  if (text.empty() ||
      std::string_view(" !:#'").find(text[0]) != std::string::npos) {
    return "#" + std::string(text);
  }
  return "# " + std::string(text);
}

}  // namespace portwright::emit::printing

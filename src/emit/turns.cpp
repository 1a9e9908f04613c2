#include "emit/turns.h"

#include <algorithm>
#include <cctype>
#include <set>

#include <fmt/format.h>

namespace portwright::emit {

namespace {

constexpr char kMark = '\x04';
constexpr char kPick = '\x05';

/// A word, a number, a mark, or one other character.
std::vector<std::string> tokens_of(const std::string& line) {
  const auto is_part = [](char c) {
    return std::isalnum(static_cast<unsigned char>(c)) || c == '_';
  };
  std::vector<std::string> out;
  for (size_t at = 0; at < line.size();) {
    size_t end = at + 1;
    if (line[at] == kMark || line[at] == kPick) {
      end = line.find(line[at], end) + 1;
    } else if (is_part(line[at])) {
      const bool number = std::isdigit(static_cast<unsigned char>(line[at]));
      while (end < line.size() &&
             (is_part(line[end]) || (number && line[end] == '.') ||
              (number && line[end] == '-' && line[end - 1] == 'e'))) {
        ++end;
      }
    }
    out.push_back(line.substr(at, end - at));
    at = end;
  }
  return out;
}

struct Element {
  std::string list;
  int64_t number, length;
};

std::optional<Element> element(const std::string& token) {
  if (token.front() != kMark) {
    return {};
  }
  const size_t colon = token.find(':');
  const size_t next = token.find(':', colon + 1);
  return Element{
      token.substr(1, colon - 1),
      std::stoll(token.substr(colon + 1)),
      std::stoll(token.substr(next + 1))};
}

/// The number of a pick, and its text.
std::optional<std::pair<int64_t, std::string>> pick(const std::string& token) {
  if (token.front() != kPick) {
    return {};
  }
  const size_t colon = token.find(':');
  return std::pair(
      std::stoll(token.substr(1, colon - 1)),
      token.substr(colon + 1, token.size() - colon - 2));
}

std::optional<int64_t> integer(const std::string& token) {
  const bool digits = std::all_of(token.begin(), token.end(), [](char c) {
    return std::isdigit(static_cast<unsigned char>(c));
  });
  return digits && token.size() < 10 ? std::optional(std::stoll(token))
                                     : std::nullopt;
}

/// first, first + step, ... by turn
bool advances(const std::vector<int64_t>& numbers, int64_t step) {
  for (size_t t = 0; t < numbers.size(); ++t) {
    if (numbers[t] != numbers[0] + step * static_cast<int64_t>(t)) {
      return false;
    }
  }
  return true;
}

/// The index, where numbers count with the turns from 0 on; "" elsewhere: where
/// else they begin is not known in terms of the config.
std::string counted(const std::vector<int64_t>& numbers, const Turns& turns) {
  return numbers[0] == 0 && advances(numbers, 1) ? turns.index : "";
}

/// Which layer of a list each turn takes; nothing where that is not known.
std::optional<std::string> picked(
    const std::vector<std::string>& tokens,
    const Turns& turns) {
  std::vector<int64_t> numbers;
  std::set<std::string> texts;
  for (const std::string& token : tokens) {
    const auto p = pick(token);
    if (!p) {
      return {};
    }
    numbers.push_back(p->first);
    texts.insert(p->second);
  }
  const auto words = tokens_of(*texts.begin());
  if (texts.size() == 1 &&
      std::find(words.begin(), words.end(), turns.index) != words.end()) {
    return *texts.begin();
  }
  if (numbers.size() > 1 && advances(numbers, 0)) {
    return tokens[0];  // for a loop further out
  }
  const std::string text = counted(numbers, turns);
  return text.empty() ? std::nullopt : std::optional(text);
}

/// An element's place in a list, from its start or its end.
std::string place(const std::vector<Element>& elements, const Turns& turns) {
  std::vector<int64_t> from_start, from_end;
  for (const Element& e : elements) {
    if (e.list != elements[0].list) {
      return "";
    }
    from_start.push_back(e.number);
    from_end.push_back(e.number - e.length);
  }
  if (advances(from_start, 0)) {
    return std::to_string(from_start[0]);
  }
  if (advances(from_end, 0)) {
    return std::to_string(from_end[0]);
  }
  if (advances(from_end, -1) && from_end[0] == -1) {
    return "-1 - " + turns.index;
  }
  return counted(from_start, turns);
}

bool is_alias(const Turns& turns, const std::string& token) {
  const auto& known = turns.aliases;
  return std::find(known.begin(), known.end(), token) != known.end();
}

/// The first turn's token by the name that later ones have for it.
void name_as_later(std::vector<std::string>& tokens, const Turns& turns) {
  if (tokens.size() < 2 || tokens[0] == tokens[1] ||
      !is_alias(turns, tokens[0])) {
    return;
  }
  const auto later = element(tokens[1]);
  for (const std::string& alias : turns.aliases) {
    const auto e = element(alias);
    if (alias == tokens[1] || (e && later && e->list == later->list)) {
      tokens[0] = alias;
      return;
    }
  }
}

/// What stands in one place in every turn; nothing where that differs.
std::optional<std::string> common(
    std::vector<std::string> tokens,
    const Turns& turns) {
  std::vector<Element> elements;
  std::vector<int64_t> numbers;
  if (pick(tokens[0])) {
    return picked(tokens, turns);
  }
  name_as_later(tokens, turns);
  for (const std::string& token : tokens) {
    if (const auto e = element(token)) {
      elements.push_back(*e);
    } else if (const auto n = integer(token)) {
      numbers.push_back(*n);
    }
  }
  if (elements.size() == tokens.size()) {
    const std::string text = place(elements, turns);
    return text.empty() ? std::nullopt
                        : std::optional(elements[0].list + "[" + text + "]");
  }
  if (std::all_of(tokens.begin(), tokens.end(), [&](const auto& token) {
        return token == tokens[0];
      })) {
    return tokens[0];
  }
  if (numbers.size() == tokens.size()) {
    const std::string text = counted(numbers, turns);
    return text.empty() ? std::nullopt : std::optional(text);
  }
  return std::nullopt;
}

}  // namespace

std::string
element_mark(const std::string& list, size_t number, size_t length) {
  return fmt::format("{}{}:{}:{}{}", kMark, list, number, length, kMark);
}

std::string pick_mark(int64_t number, const std::string& text) {
  return fmt::format("{}{}:{}{}", kPick, number, text, kPick);
}

std::vector<std::string> outside_loops(std::vector<std::string> lines) {
  for (std::string& line : lines) {
    std::string out;
    for (const std::string& token : tokens_of(line)) {
      const auto e = element(token);
      const auto p = pick(token);
      out += e   ? e->list + "[" + std::to_string(e->number) + "]"
             : p ? std::to_string(p->first)
                 : token;
    }
    line = std::move(out);
  }
  return lines;
}

std::optional<std::vector<std::string>> rolled(const Turns& turns) {
  std::vector<std::string> out;
  for (size_t i = 0; i < turns.lines[0].size(); ++i) {
    std::vector<std::vector<std::string>> tokens;
    for (const auto& lines : turns.lines) {
      if (lines.size() != turns.lines[0].size()) {
        return {};
      }
      tokens.push_back(tokens_of(lines[i]));
    }
    std::string text;
    for (size_t k = 0; k < tokens[0].size(); ++k) {
      std::vector<std::string> here;
      for (const auto& line : tokens) {
        if (line.size() != tokens[0].size()) {
          return {};
        }
        here.push_back(line[k]);
      }
      const auto token = common(here, turns);
      if (!token) {
        return {};
      }
      text += *token;
    }
    out.push_back(std::move(text));
  }
  return out;
}

}  // namespace portwright::emit

#include "verify/made_of.h"

#include <algorithm>
#include <cctype>
#include <sstream>
#include <vector>

#include "base/paths.h"
#include "verify/place.h"

namespace portwright::verify {
namespace {

/// The lines of a file, from 0.
std::vector<std::string> lines_of(const std::string& file) {
  std::vector<std::string> out;
  if (const auto text = base::read_file(file)) {
    std::istringstream stream(*text);
    for (std::string line; std::getline(stream, line);) {
      out.push_back(line);
    }
  }
  return out;
}

/// A statement that begins in a line, up to the last bracket it opens.
std::string statement_at(const std::vector<std::string>& lines, size_t at) {
  std::string out;
  int open = 0;
  for (; at < lines.size(); ++at) {
    for (const char c : lines[at]) {
      open += c == '(' || c == '[' ? 1 : c == ')' || c == ']' ? -1 : 0;
    }
    out += lines[at] + "\n";
    if (open <= 0) {
      break;
    }
  }
  return out;
}

/// The names behind every "args." or "self." of a text.
std::vector<std::string> fields_in(const std::string& text) {
  std::vector<std::string> out;
  const auto next = [&](size_t from) {
    return std::min(text.find("args.", from), text.find("self.", from));
  };
  for (size_t at = next(0); at != text.npos; at = next(at)) {
    at += std::string_view("args.").size();
    size_t end = at;
    while (end < text.size() &&
           (std::isalnum(static_cast<unsigned char>(text[end])) ||
            text[end] == '_')) {
      ++end;
    }
    out.push_back(text.substr(at, end - at));
  }
  return out;
}

/// Of a class or a function: the first line after that of `head` which holds
/// one of `texts`, from 1.
std::optional<int> line_within(
    const std::vector<std::string>& lines,
    const std::string& head,
    const std::vector<std::string>& texts) {
  const auto begins = [&](const std::string& line) {
    const size_t at = line.find_first_not_of(' ');
    return at != line.npos && line.compare(at, head.size(), head) == 0;
  };
  const auto begin = std::find_if(lines.begin(), lines.end(), begins);
  if (begin == lines.end()) {
    return std::nullopt;
  }
  const size_t indent = begin->find_first_not_of(' ');
  for (auto line = begin + 1; line != lines.end(); ++line) {
    const size_t at = line->find_first_not_of(' ');
    if (at != line->npos && at <= indent && (*line)[at] != ')') {
      break;
    }
    for (const auto& text : texts) {
      if (line->find(text) != line->npos) {
        return static_cast<int>(line - lines.begin()) + 1;
      }
    }
  }
  return std::nullopt;
}

/// The heads of the conditions and loops around a line, from the innermost.
std::string heads_around(const std::vector<std::string>& lines, size_t at) {
  std::string out;
  size_t indent = lines[at].find_first_not_of(' ');
  while (at-- > 0) {
    const auto& line = lines[at];
    const size_t own = line.find_first_not_of(' ');
    const auto begins = [&](std::string_view word) {
      return line.compare(own, word.size(), word) == 0;
    };
    if (own == line.npos || own >= indent) {
      continue;
    }
    if (begins("def ") || begins("class ")) {
      break;
    }
    if (begins("if ") || begins("elif ") || begins("for ")) {
      out += statement_at(lines, at);
    }
    const bool goes_on = begins("else") || begins("elif ");
    indent = goes_on ? own + 1 : own;
  }
  return out;
}

/// Of the fields that the statement in a line takes, or what decides whether it
/// is run (or these first), the first which the config class computes.
std::optional<int> line_of_field_in(
    const std::vector<std::string>& lines,
    const std::optional<int>& made_line,
    bool decides_first = false) {
  if (!made_line || *made_line < 1 ||
      *made_line > static_cast<int>(lines.size())) {
    return std::nullopt;
  }
  const auto at = static_cast<size_t>(*made_line) - 1;
  const auto made = statement_at(lines, at);
  const auto heads = heads_around(lines, at);
  for (const auto& field :
       fields_in(decides_first ? heads + made : made + heads)) {
    if (const auto line = line_within(
            lines,
            "class ModelArgs",
            {"self." + field + " =", "def " + field + "("})) {
      return line;
    }
  }
  return std::nullopt;
}

/// The modules right below one that the source has not.
std::vector<std::string> own_parts(Session& session, const std::string& path) {
  std::vector<std::string> out;
  for (const auto& [inner, source] : session.candidate().modules()) {
    if (inner.starts_with(path + ".") &&
        inner.find('.', path.size() + 1) == inner.npos &&
        !session.reference().modules().contains(inner)) {
      out.push_back(inner.substr(path.size() + 1) + ".");
    }
  }
  return out;
}

}  // namespace

std::optional<int> line_of_what_it_is_made_of(
    Session& session,
    const std::string& path,
    const std::optional<int>& made_line) {
  const auto lines = lines_of(session.port_file());
  if (path.empty() || lines.empty()) {
    return std::nullopt;
  }
  auto parts = own_parts(session, path);
  auto weights = parts;
  if (!session.reference().modules().contains(path)) {
    weights.push_back(path.substr(path.rfind('.') + 1) + ".");
  }
  if (const auto line = line_within(lines, "def sanitize(", weights)) {
    return line;
  }
  if (const auto line = line_of_field_in(lines, made_line)) {
    return line;
  }
  const auto& modules = session.candidate().modules();
  const auto it = modules.find(path);
  if (it == modules.end() || !it->second.in_port) {
    return std::nullopt;
  }
  for (auto& part : parts) {  // as a rope where the source has a function
    part.pop_back();
    const auto made = line_with(
        session.port_file(),
        "self." + part + " =",
        it->second.line.value_or(1));
    if (const auto line = line_of_field_in(lines, made)) {
      return line;
    }
  }
  return std::nullopt;
}

std::optional<int> line_of_deciding_field(const Session& session, int line) {
  return line_of_field_in(lines_of(session.port_file()), line, true);
}

std::optional<int> line_of_last_state(const Session& session) {
  const auto lines = lines_of(session.port_file());
  std::optional<int> out;
  for (size_t i = 0; i < lines.size(); ++i) {
    const size_t at = lines[i].find_first_not_of(' ');
    if (at != lines[i].npos && lines[i].compare(at, 6, "cache[") == 0 &&
        lines[i].find("] = ", at) != lines[i].npos) {
      out = static_cast<int>(i) + 1;
    }
  }
  return out;
}

}  // namespace portwright::verify

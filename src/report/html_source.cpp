#include <array>
#include <filesystem>

#include "base/paths.h"
#include "report/html_parts.h"

namespace portwright::report {
namespace {

namespace fs = std::filesystem;

constexpr std::array kKeywords = {
    "and",   "as",     "assert", "class", "def",      "del",   "elif",
    "else",  "except", "False",  "for",   "from",     "if",    "import",
    "in",    "is",     "lambda", "None",  "not",      "or",    "pass",
    "raise", "return", "self",   "True",  "try",      "while", "with",
    "yield", "async",  "await",  "break", "continue", "global"};

bool is_word(char c) {
  return std::isalnum(static_cast<unsigned char>(c)) || c == '_';
}

std::string marked(const char* kind, std::string_view text) {
  return fmt::format("<span class=\"{}\">{}</span>", kind, escape(text));
}

std::vector<std::string> lines_of(const std::string& text) {
  std::vector<std::string> out;
  size_t at = 0;
  while (at < text.size()) {
    const size_t end = std::min(text.find('\n', at), text.size());
    out.push_back(text.substr(at, end - at));
    at = end + 1;
  }
  return out;
}

/// Lines to link and lines to blame of one pane.
struct Marks {
  std::map<int, std::set<std::string>> links;
  std::set<int> guilty;
};

std::string pane(
    const char* id,
    const fs::path& file,
    const std::string& text,
    const Marks& marks) {
  std::string rows;
  int number = 0;
  for (const auto& line : lines_of(text)) {
    ++number;
    const auto link = marks.links.find(number);
    std::string classes;
    std::string to;
    if (link != marks.links.end()) {
      classes = "linked";
      to = fmt::format(" data-to=\"{}\"", fmt::join(link->second, " "));
    }
    if (marks.guilty.contains(number)) {
      classes += " guilty";
    }
    rows += fmt::format(
        "<div id=\"{}{}\"{}{}><a>{}</a><code>{}</code></div>",
        id,
        number,
        classes.empty() ? "" : fmt::format(" class=\"{}\"", classes),
        to,
        number,
        highlight(line));
  }
  return fmt::format(
      "<div class=\"pane\"><header class=\"mono\">{}</header>"
      "<div class=\"lines mono\">{}</div></div>",
      escape(file.filename().string()),
      rows);
}

/// The source that most links name, else the one that defines the model.
std::string chosen_source(const Report& report) {
  std::map<std::string, int> counts;
  for (const auto& link : report.links) {
    ++counts[link.source_file];
  }
  const auto most = std::max_element(
      counts.begin(), counts.end(), [](const auto& a, const auto& b) {
        return a.second < b.second;
      });
  return most == counts.end() ? report.results.source : most->first;
}

}  // namespace

std::string highlight(std::string_view line) {
  std::string out;
  size_t i = 0;
  while (i < line.size()) {
    const char c = line[i];
    if (c == '#') {
      return out + marked("c", line.substr(i));
    }
    size_t end = i + 1;
    if (c == '"' || c == '\'') {
      while (end < line.size() && line[end] != c) {
        end += line[end] == '\\' ? 2 : 1;
      }
      end = std::min(end + 1, line.size());
      out += marked("s", line.substr(i, end - i));
    } else if (is_word(c)) {
      while (end < line.size() && is_word(line[end])) {
        ++end;
      }
      const auto word = line.substr(i, end - i);
      const bool keyword =
          std::find(kKeywords.begin(), kKeywords.end(), word) !=
          kKeywords.end();
      const bool digit = std::isdigit(static_cast<unsigned char>(c));
      out += keyword ? marked("k", word)
             : digit ? marked("n", word)
                     : escape(word);
    } else {
      out += escape(line.substr(i, 1));
    }
    i = end;
  }
  return out;
}

std::string side_by_side(const Report& report) {
  const auto& results = report.results;
  const auto source_file = chosen_source(report);
  const auto port = base::read_file(results.port);
  const auto source = base::read_file(source_file);
  if (results.port.empty() || (!port && !source)) {
    return "";
  }
  Marks left;
  Marks right;
  for (const auto& link : report.links) {
    if (link.source_file == source_file) {
      left.links[link.port_line].insert(fmt::format("s{}", link.source_line));
      right.links[link.source_line].insert(fmt::format("p{}", link.port_line));
    }
  }
  for (const auto& check : results.checks) {
    if (check.status != verify::Status::Fail) {
      continue;
    }
    if (check.place.port_line && check.place.port_file == results.port) {
      left.guilty.insert(*check.place.port_line);
    }
    if (check.place.source_line && check.place.source_file == source_file) {
      right.guilty.insert(*check.place.source_line);
    }
  }
  return fmt::format(
      "<h2>Port and source</h2><p class=\"about\">{}</p>"
      "<div class=\"card panes\">{}{}</div>",
      report.links.empty()
          ? "The file under test beside the one that defines torch's model."
          : "A line of the port and the lines that it came from light up "
            "together; a click brings them into view.",
      port ? pane("p", results.port, *port, left) : "",
      source ? pane("s", source_file, *source, right) : "");
}

}  // namespace portwright::report

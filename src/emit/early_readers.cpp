#include "emit/early_readers.h"

#include <algorithm>
#include <set>

#include "emit/config_text.h"
#include "emit/naming.h"

namespace portwright::emit {

namespace {

/// True where one line may as well come after the other: neither makes what
/// the other reads or makes.
bool is_apart(const std::string& a, const std::string& b) {
  const auto makes_for = [](const std::string& line, const std::string& other) {
    const auto made = assignment(line);
    return !made ||
           std::any_of(
               made->targets.begin(), made->targets.end(), [&](const auto& t) {
                 return count_of({other}, t) > 0;
               });
  };
  return !makes_for(a, b) && !makes_for(b, a);
}

/// The lines behind `at` that read `name` before it is made anew, which can all
/// go before `at`; none where one cannot.
std::vector<size_t>
movable_readers(const Lines& lines, size_t at, const std::string& name) {
  std::vector<size_t> out;
  size_t last = at;
  while (!is_dead_behind(lines, last, name)) {
    for (++last; count_of({lines[last]}, name) == 0; ++last) {
    }
    for (size_t i = at; i < last; ++i) {
      if (lines[i].empty()) {
        continue;
      }
      const bool moved = std::find(out.begin(), out.end(), i) != out.end();
      if (leading(lines[i]) != leading(lines[last]) ||
          (!moved && !is_apart(lines[i], lines[last]))) {
        return {};
      }
    }
    // What a cache answers depends on what it was told before.
    if (lines[last].find("cache") != std::string::npos) {
      return {};
    }
    out.push_back(last);
  }
  return out;
}

Lines with_early_readers(Lines lines) {
  if (has_loops(lines)) {
    return lines;
  }
  for (size_t i = 0; i < lines.size(); ++i) {
    const auto made = assignment(lines[i]);
    const std::string name = made && made->targets.size() == 1
                                 ? without_number(made->targets.front())
                                 : "";
    if (name.empty()) {
      continue;
    }
    for (const size_t reader : movable_readers(lines, i, name)) {
      const auto begin = lines.begin() + static_cast<std::ptrdiff_t>(i++);
      const auto from = lines.begin() + static_cast<std::ptrdiff_t>(reader);
      std::rotate(begin, from, from + 1);
    }
  }
  return lines;
}

/// How many variables have a number.
size_t count_numbered(const Lines& lines) {
  std::set<std::string> out;
  for (const auto& line : lines) {
    if (const auto made = assignment(line)) {
      for (const auto& name : made->targets) {
        if (is_name(name) && !without_number(name).empty()) {
          out.insert(name);
        }
      }
    }
  }
  return out.size();
}

/// keys3 is keys2 where there is no such name.
Lines with_first_numbers(Lines lines) {
  for (size_t i = 0; i < lines.size(); ++i) {
    const auto made = assignment(lines[i]);
    for (const auto& name : made ? made->targets : std::vector<std::string>()) {
      const std::string base = without_number(name);
      if (!is_name(name) || base.empty()) {
        continue;
      }
      const int number = std::stoi(name.substr(base.size()));
      for (int free = 2; free < number; ++free) {
        const std::string first = base + std::to_string(free);
        if (count_of(lines, first) == 0) {
          for (auto& line : lines) {
            line = renamed_objects(std::move(line), {{name, first}});
          }
          break;
        }
      }
    }
  }
  return lines;
}

}  // namespace

Lines with_fewest_names(const Lines& parameters, const Lines& lines) {
  Lines out = with_fewer_names(parameters, lines);
  if (const size_t numbered = count_numbered(out)) {
    Lines moved = with_early_readers(lines);
    if (moved != lines) {
      moved = with_fewer_names(parameters, moved);
      out = count_numbered(moved) < numbered ? std::move(moved) : out;
    }
  }
  return with_first_numbers(std::move(out));
}

}  // namespace portwright::emit

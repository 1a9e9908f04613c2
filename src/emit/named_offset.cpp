#include "emit/named_offset.h"

#include <algorithm>

namespace portwright::emit {

namespace {

constexpr std::string_view kOfCache = ", offset=cache.offset)";

/// What a line of the first branch is in the second; "" where it has no place
/// there.
std::string without_offset(const std::string& line) {
  return line.ends_with(kOfCache)
             ? line.substr(0, line.size() - kOfCache.size()) + ")"
             : "";
}

/// Behind the sizes, which a blank line follows.
void name_offset(Lines& lines) {
  const auto blank = std::find(lines.begin(), lines.end(), "");
  lines.insert(blank == lines.end() ? lines.begin() : blank + 1, kNamedOffset);
}

/// The lines with the rotations before the question for a cache; none where
/// that does not ask for rotations.
std::optional<Lines> rotated_before(const Lines& lines) {
  const auto test =
      std::find(lines.begin(), lines.end(), "if cache is not None:");
  const auto other = std::find(test, lines.end(), "else:");
  if (other == lines.end()) {
    return {};
  }
  Lines rotations, rest, without;
  for (auto line = test + 1; line != other; ++line) {
    const auto plain = without_offset(*line);
    if (plain.empty()) {
      rest.push_back(*line);
      continue;
    }
    without.push_back(plain);
    rotations.push_back(
        line->substr(4, line->size() - kOfCache.size() - 4) +
        ", offset=offset)");
  }
  auto end = other + 1;
  Lines second;
  while (end != lines.end() && leading(*end) == 4) {
    second.push_back(*end++);
  }
  if (second != without || rotations.empty() ||
      !std::all_of(rest.begin(), rest.end(), [](const auto& line) {
        return leading(line) == 4 &&
               line.find("update_and_fetch(") != std::string::npos;
      })) {
    return {};
  }
  Lines out(lines.begin(), test);
  out.insert(out.end(), rotations.begin(), rotations.end());
  if (!rest.empty()) {
    out.push_back(*test);
    out.insert(out.end(), rest.begin(), rest.end());
  }
  out.insert(out.end(), end, lines.end());
  return out;
}

}  // namespace

bool rotates_by_cache(const Lines& lines) {
  return rotated_before(lines).has_value();
}

Lines with_named_offset(Lines lines) {
  if (any_has(lines, "offset = ")) {
    return lines;
  }
  if (auto rotated = rotated_before(lines)) {
    lines = std::move(*rotated);
    name_offset(lines);
  } else if (
      any_has(lines, "cache.update_and_fetch(") &&
      !any_has(lines, "cache.offset")) {
    name_offset(lines);  // nothing reads it
  }
  return lines;
}

}  // namespace portwright::emit

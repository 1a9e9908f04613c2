#include "emit/equal_modules.h"

#include <algorithm>

#include <fmt/format.h>

#include "base/pattern.h"

namespace portwright::emit {
namespace {

/// The element of which "a, a, a" has several alike; "" of others.
std::string repeated(const std::string& list, int& times) {
  for (size_t at = list.find(", "); at != list.npos;
       at = list.find(", ", at + 1)) {
    const std::string one = list.substr(0, at);
    if (std::count(one.begin(), one.end(), '(') !=
        std::count(one.begin(), one.end(), ')')) {
      continue;
    }
    std::string all = one;
    for (times = 1; all.size() < list.size(); ++times) {
      all += ", " + one;
    }
    return all == list ? one : "";
  }
  return "";
}

bool has_name(const std::string& line, const std::string& name) {
  return base::Pattern("\\b" + name + "\\b").search(line).has_value();
}

/// The forward's statements that split a value and hand each part to the module
/// of its number.
struct Application {
  size_t split = 0, calls = 0;  // their lines
  std::string value, axis, text;
};

std::optional<Application>
find_use(const Lines& call, const std::string& list, int times) {
  static const base::Pattern kSplit(
      R"((\w+(?:, \w+)+) = mx\.split\((.+), (\d+), axis=(-?\d+)\))");
  static const base::Pattern kName(R"(\w+)");
  for (size_t i = 0; i < call.size(); ++i) {
    const auto split = kSplit.match(call[i]);
    if (!split || (*split)[3] != std::to_string(times)) {
      continue;
    }
    const std::string targets = (*split)[1];
    Application use{i, 0, (*split)[2], (*split)[4], "["};
    std::vector<std::string> parts;
    for (const auto& name : kName.all(targets)) {
      parts.push_back(name[0]);
      use.text += fmt::format(
          "{}{}[{}]({})",
          parts.size() > 1 ? ", " : "",
          list,
          parts.size() - 1,
          parts.back());
    }
    use.text += "]";
    for (size_t j = i + 1; j < call.size(); ++j) {
      const size_t at = call[j].find(use.text);
      if (at == std::string::npos) {
        continue;
      }
      use.calls = j;
      const auto elsewhere = [&](const std::string& line) {
        std::string rest = line;
        if (&line == &call[j]) {
          rest.erase(at, use.text.size());
        }
        return &line != &call[i] &&
               (rest.find(list + "[") != rest.npos ||
                (&line > &call[i] &&
                 std::any_of(parts.begin(), parts.end(), [&](const auto& name) {
                   return has_name(rest, name);
                 })));
      };
      return static_cast<int>(parts.size()) != times ||
                     std::any_of(call.begin(), call.end(), elsewhere)
                 ? std::nullopt
                 : std::optional(use);
    }
  }
  return {};
}

/// A name that nothing has, from `name` on.
std::string unused(const Lines& lines, const std::string& name) {
  std::string out = name;
  const auto taken = [&](const std::string& line) {
    return has_name(line, out);
  };
  for (int n = 2; std::any_of(lines.begin(), lines.end(), taken); ++n) {
    out = name + std::to_string(n);
  }
  return out;
}

}  // namespace

void write_for_each(
    Lines& init,
    Lines& call,
    const std::function<std::string(int)>& count) {
  static const base::Pattern kList(R"((self\.(\w+)) = \[(.+)\])");
  for (std::string& line : init) {
    const auto list = kList.match(line);
    int times = 0;
    const std::string one = list ? repeated((*list)[3], times) : "";
    if (one.empty() || one.find(" for ") != one.npos) {
      continue;
    }
    const std::string name = (*list)[1], plain = (*list)[2];
    const auto use = find_use(call, name, times);
    const std::string all = use ? count(times) : "";
    if (all.empty()) {
      continue;
    }
    const std::string parts = unused(call, "parts");
    const std::string module = unused(
        call,
        plain.size() > 1 && plain.ends_with('s')
            ? plain.substr(0, plain.size() - 1)
            : "module");
    const std::string part = unused(call, "part");
    line = fmt::format("{} = [{} for _ in range({})]", name, one, all);
    call[use->split] = fmt::format(
        "{} = mx.split({}, len({}), axis={})",
        parts,
        use->value,
        name,
        use->axis);
    std::string& calls = call[use->calls];
    calls.replace(
        calls.find(use->text),
        use->text.size(),
        fmt::format(
            "[{0}({1}) for {0}, {1} in zip({2}, {3})]",
            module,
            part,
            name,
            parts));
  }
}

}  // namespace portwright::emit

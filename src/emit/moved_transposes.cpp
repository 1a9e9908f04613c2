#include "emit/moved_transposes.h"

#include <algorithm>

#include "emit/sharding/makers.h"

namespace portwright::emit {

namespace {

constexpr std::string_view kTurned = ".transpose(0, 2, 1, 3)";

/// The next line that reads a name which the line at `at` made, if it is the
/// only one that reads that value, once, in the same block.
std::optional<size_t>
only_reader(const Lines& lines, size_t at, const std::string& name) {
  for (size_t i = at + 1; i < lines.size(); ++i) {
    if (leading(lines[i]) < leading(lines[at])) {
      break;
    }
    const size_t made = lines[i].find(" = ");
    const std::string value =
        assignment(lines[i]) ? lines[i].substr(made + 3) : lines[i];
    if (const size_t count = count_of({value}, name)) {
      const auto next = assignment(lines[i]);
      const bool anew = next && next->targets == std::vector<std::string>{name};
      const bool once = count == 1 && leading(lines[i]) == leading(lines[at]) &&
                        (anew || is_dead_behind(lines, i, name));
      return once ? std::optional(i) : std::nullopt;
    }
    if (count_of({lines[i]}, name)) {
      break;
    }
  }
  return {};
}

/// True where it is mx.fast.rms_norm(name, ...).
bool is_norm_of(const syntax::Expr& value, const std::string& name) {
  for (const auto* norm : {"mx.fast.rms_norm", "mx.fast.layer_norm"}) {
    const auto* call = call_to(value, norm);
    if (call && !call->args.empty() &&
        sharding::spelling(*call->args.front()) == name) {
      return true;
    }
  }
  return false;
}

const syntax::Expr* turned(const syntax::Expr& value) {
  return object_of(value, "transpose", {"0", "2", "1", "3"});
}

void erase_turn(std::string& line, size_t at) {
  line.erase(at, kTurned.size());
}

/// Takes both out, where the line at `at` turns what a norm is given.
void take_pair(Lines& lines, size_t at) {
  const auto made = assignment(lines[at]);
  if (!made || made->targets.size() != 1 || !turned(*made->value)) {
    return;
  }
  const auto norm = only_reader(lines, at, made->targets.front());
  const auto normed = norm ? assignment(lines[*norm]) : std::nullopt;
  if (!normed || normed->targets.size() != 1) {
    return;
  }
  const auto* back = turned(*normed->value);
  if (!is_norm_of(back ? *back : *normed->value, made->targets.front())) {
    return;
  }
  size_t reader = *norm, place = lines[reader].size() - kTurned.size();
  if (!back) {
    const std::string& name = normed->targets.front();
    const auto next = only_reader(lines, *norm, name);
    const size_t found = next ? lines[*next].find(name + std::string(kTurned))
                              : std::string::npos;
    if (found == std::string::npos) {
      return;
    }
    reader = *next;
    place = found + name.size();
  }
  erase_turn(lines[reader], place);
  erase_turn(lines[at], lines[at].size() - kTurned.size());
}

}  // namespace

Lines with_moved_transposes(Lines lines) {
  if (has_loops(lines) || !any_has(lines, kTurned)) {
    return lines;
  }
  for (size_t i = 0; i < lines.size(); ++i) {
    if (lines[i].ends_with(kTurned)) {
      take_pair(lines, i);
    }
  }
  return lines;
}

}  // namespace portwright::emit

#include "emit/sharding/local_names.h"

#include <algorithm>
#include <set>
#include <string_view>

#include "emit/config_text.h"
#include "emit/statements.h"

namespace portwright::emit::sharding {

namespace {

bool assigns(const std::string& line, const std::string& path) {
  return line.compare(leading(line), path.size() + 3, path + " = ") == 0;
}

/// "attn" for "layer.self_attn".
std::string local_name(const std::string& path) {
  constexpr std::string_view kOwn = "self_";
  const std::string name = path.substr(path.rfind('.') + 1);
  return name.starts_with(kOwn) ? name.substr(kOwn.size()) : name;
}

/// How many lines a statement has when it is laid out.
int height(const std::string& line, size_t column) {
  constexpr size_t kWidth = 88;
  constexpr int kSplit = 3;  // brackets end and begin lines of their own
  return line.size() + column > kWidth ? kSplit : 1;
}

/// In each block that reads `path`.
void name_locally(Lines& lines, const std::string& path, size_t column) {
  constexpr int kWorth = 3;  // of them one for the name
  const std::string name = local_name(path);
  static const std::set<std::string> kTaken{
      "N", "group", "layer", "module", "mx", "nn", "self"};
  if (kTaken.contains(name)) {
    return;
  }
  for (size_t at = 0; at < lines.size(); ++at) {
    if (!count_of({lines[at]}, path)) {
      continue;
    }
    const size_t indent = leading(lines[at]);
    Lines named{std::string(indent, ' ') + name + " = " + path};
    int saved = 0;
    bool written = false;
    size_t end = at;
    for (; end < lines.size() && leading(lines[end]) >= indent; ++end) {
      named.push_back(renamed_objects(lines[end], {{path, name}}));
      saved += height(lines[end], column) - height(named.back(), column);
      written = written || assigns(lines[end], path);
    }
    if (saved >= kWorth && !written) {
      lines.erase(lines.begin() + at, lines.begin() + end);
      lines.insert(lines.begin() + at, named.begin(), named.end());
    }
    at = end;
  }
}

/// The paths of `depth` names below `layer` that more is read below of.
std::vector<std::string> paths_below(const Lines& lines, int depth) {
  std::vector<std::string> out;
  for (const auto& line : lines) {
    for (const Name& name : names_in(line)) {
      size_t end = name.text.find('.');
      for (int i = 0; i < depth && end != std::string::npos; ++i) {
        end = name.text.find('.', end + 1);
      }
      const std::string path = name.text.substr(0, end);
      if (end != std::string::npos && path.starts_with("layer.") &&
          std::find(out.begin(), out.end(), path) == out.end()) {
        out.push_back(path);
      }
    }
  }
  return out;
}

}  // namespace

void use_local_names(Lines& lines, size_t column) {
  // Names of modules come first: what lies in them is shorter by these.
  const auto outer = paths_below(lines, 1), inner = paths_below(lines, 2);
  for (const auto& path : outer) {
    name_locally(lines, path, column);
  }
  for (const auto& path : inner) {
    const std::string module = path.substr(0, path.rfind('.'));
    name_locally(lines, path, column);
    name_locally(
        lines, local_name(module) + path.substr(module.size()), column);
  }
}

}  // namespace portwright::emit::sharding

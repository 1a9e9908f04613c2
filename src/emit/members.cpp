#include "emit/members.h"

#include <algorithm>
#include <cctype>
#include <set>

#include "base/pattern.h"
#include "emit/context.h"

namespace portwright::emit {

bool is_list_index(const std::string& part) {
  return !part.empty() &&
         part.find_first_not_of("0123456789") == std::string::npos;
}

namespace {

std::vector<std::string> parts_of(const std::string& path) {
  std::vector<std::string> out;
  for (size_t at = 0; at <= path.size();) {
    const size_t dot = std::min(path.find('.', at), path.size());
    out.push_back(path.substr(at, dot - at));
    at = dot + 1;
  }
  return out;
}

}  // namespace

std::string access_text(const std::string& owner, const std::string& path) {
  std::string access = owner;
  bool first = true;
  for (const std::string& part : parts_of(path)) {
    access += first                 ? "." + part
              : is_list_index(part) ? "[" + part + "]"
                                    : "[\"" + part + "\"]";
    first = false;
  }
  return access;
}

namespace {

/// What every module has under that name.
bool is_own_name_of_modules(const std::string& name) {
  static const std::set<std::string_view> kOwn{
      "apply",   "children", "clear",      "copy",       "eval",
      "freeze",  "get",      "items",      "keys",       "pop",
      "popitem", "modules",  "parameters", "setdefault", "state",
      "train",   "training", "unfreeze",   "update",     "values"};
  return kOwn.contains(name);
}

/// The text with `self.name` read as self["name"].
std::string with_item(const std::string& text, const std::string& name) {
  static const std::string kOwner = "self.";
  const auto is_word = [](char c) {
    return std::isalnum(static_cast<unsigned char>(c)) || c == '_';
  };
  std::string out;
  size_t from = 0;
  for (size_t at; (at = text.find(kOwner + name, from)) != std::string::npos;) {
    const size_t end = at + kOwner.size() + name.size();
    const bool whole = (at == 0 || !is_word(text[at - 1])) &&
                       (end == text.size() || !is_word(text[end]));
    out += whole ? text.substr(from, at - from) + "self[\"" + name + "\"]"
                 : text.substr(from, end - from);
    from = end;
  }
  return out + text.substr(from);
}

}  // namespace

void spell_own_names(
    Context& context,
    const Frame& frame,
    const std::vector<std::pair<std::string, std::string>>& made,
    ClassText& text) {
  for (const auto& [name, value] : made) {
    if (!is_own_name_of_modules(name)) {
      continue;
    }
    if (value.find('(') == std::string::npos) {
      context.hole(
          frame.call,
          "'" + name + "' of '" + frame.path +
              "' is what modules of mlx.nn have themselves");
    }
    for (auto* lines : {&text.init, &text.call}) {
      for (std::string& line : *lines) {
        line = with_item(line, name);
      }
    }
  }
}

std::string Members::put(const std::string& path, const std::string& text) {
  Node* node = &root_;
  for (const std::string& part : parts_of(path)) {
    node = &node->children[part];
  }
  node->text = text;
  return access_text("self", path);
}

namespace {

/// "[nn.Linear(..) for i in range(n)]"; "" where places differ.
std::string each_alike(
    const std::map<int, std::string>& items,
    const Members::Count& count) {
  const bool alike =
      std::all_of(items.begin(), items.end(), [&](const auto& i) {
        return i.second == items.begin()->second;
      });
  const bool whole = items.rbegin()->first + 1 == std::ssize(items);
  const std::string length =
      count && alike && whole ? count(items.size()) : std::string();
  if (length.empty()) {
    return "";
  }
  std::string text = items.begin()->second;
  std::replace(text.begin(), text.end(), kIndexMark, kLayerMark);
  static const base::Pattern index("\\blayer_idx\\b");
  return "[" + index.replace(text, "i") + " for i in range(" + length + ")]";
}

}  // namespace

std::string Members::text_of(const Node& node, const Count& count) {
  if (node.children.empty()) {
    return node.text;
  }
  const bool numbered = std::all_of(
      node.children.begin(), node.children.end(), [](const auto& child) {
        return is_list_index(child.first);
      });
  std::string out;
  if (!numbered) {
    for (const auto& [name, child] : node.children) {
      out +=
          (out.empty() ? "\"" : ", \"") + name + "\": " + text_of(child, count);
    }
    return "{" + out + "}";
  }
  std::map<int, std::string> items;
  for (const auto& [index, child] : node.children) {
    items[std::stoi(index)] = text_of(child, count);
  }
  if (const std::string each = each_alike(items, count); !each.empty()) {
    return each;
  }
  for (int i = 0; i <= items.rbegin()->first; ++i) {
    const auto it = items.find(i);
    out += (i ? ", " : "") +
           (it == items.end() ? std::string("nn.Identity()") : it->second);
  }
  return "[" + out + "]";
}

std::map<std::string, std::string> Members::texts(const Count& count) const {
  std::map<std::string, std::string> out;
  for (const auto& [name, node] : root_.children) {
    out[name] = text_of(node, count);
  }
  return out;
}

}  // namespace portwright::emit

#include "emit/own_elements.h"

#include <algorithm>
#include <optional>
#include <set>

#include <fmt/format.h>

#include "emit/guards.h"
#include "emit/members.h"

namespace portwright::emit {

using eval::Value;

namespace {

/// "model.layers.4.mlp.adapters" is `path` below the layer 4.
struct Place {
  int layer;
  std::string path;
};

std::optional<Place> place_of(const std::string& path) {
  for (size_t at = 0; at < path.size();) {
    const size_t dot = std::min(path.find('.', at), path.size());
    const std::string part = path.substr(at, dot - at);
    if (is_list_index(part) && dot < path.size()) {
      return Place{std::stoi(part), path.substr(dot + 1)};
    }
    at = dot + 1;
  }
  return {};
}

/// The lists of modules, and how many each holds.
std::map<std::string, int> module_lists(const Trace& trace) {
  std::map<std::string, int> sizes;
  std::set<std::string> others;
  for (const auto& [path, module] : trace.modules) {
    if (const size_t dot = path.rfind('.'); dot != std::string::npos) {
      const std::string list = path.substr(0, dot);
      ++sizes[list];
      if (!is_list_index(path.substr(dot + 1))) {
        others.insert(list);
      }
    }
  }
  std::erase_if(sizes, [&](const auto& s) { return others.contains(s.first); });
  return sizes;
}

/// By list: the elements whose forwards ran.
void find_used(
    const Frame& frame,
    const std::map<std::string, int>& lists,
    std::map<std::string, std::set<int>>& used) {
  for (const auto& item : frame.items) {
    const auto* child = std::get_if<std::unique_ptr<Frame>>(&item);
    if (!child) {
      continue;
    }
    const std::string& path = (*child)->path;
    for (size_t dot = path.find('.'); dot != std::string::npos;
         dot = path.find('.', dot + 1)) {
      if (lists.contains(path.substr(0, dot))) {
        used[path.substr(0, dot)].insert(std::atoi(path.c_str() + dot + 1));
      }
    }
    find_used(**child, lists, used);
  }
}

/// What becomes of names below the lists.
class Renaming {
 public:
  void add(const std::string& list, int element) {
    elements_[list + "."] = element;
  }
  bool empty() const {
    return elements_.empty();
  }
  /// The new name; nothing for what is left out.
  std::optional<std::string> operator()(const std::string& name) const {
    for (const auto& [list, element] : elements_) {
      if (!name.starts_with(list)) {
        continue;
      }
      const size_t dot = std::min(name.find('.', list.size()), name.size());
      if (std::atoi(name.c_str() + list.size()) != element) {
        return {};
      }
      return list + "0" + name.substr(dot);
    }
    return name;
  }
  bool touches(const std::string& name) const {
    return std::any_of(elements_.begin(), elements_.end(), [&](const auto& e) {
      return name.starts_with(e.first);
    });
  }

 private:
  std::map<std::string, int> elements_;
};

void rename_frames(Frame& frame, const Renaming& renamed) {
  for (auto& item : frame.items) {
    if (auto* child = std::get_if<std::unique_ptr<Frame>>(&item)) {
      (*child)->path = renamed((*child)->path).value_or((*child)->path);
      rename_frames(**child, renamed);
    }
  }
}

void rename(Trace& trace, Evaluation& evaluation, const Renaming& renamed) {
  rename_frames(trace.root, renamed);
  for (auto& info : trace.values) {
    info.parameter = renamed(info.parameter).value_or("");
  }
  std::erase_if(
      trace.modules, [&](const auto& m) { return !renamed(m.first); });
  for (auto& [path, module] : trace.modules) {
    path = *renamed(path);
  }
  std::erase_if(evaluation.shared, [&](const auto& names) {
    return renamed.touches(names.first) || renamed.touches(names.second);
  });
}

/// Of every layer: its kind, and its number among those of the kind.
struct Numbered {
  std::string kind;
  int number;
};

}  // namespace

void keep_own_elements(
    eval::Interpreter& interp,
    Trace& trace,
    Evaluation& evaluation) {
  const Value kinds = interp.try_getattr(evaluation.config, "layer_types");
  if (!kinds.is(eval::Kind::List)) {
    return;
  }
  std::vector<Numbered> layers;
  std::map<std::string, int> counts;
  for (const Value& kind : kinds.get<eval::List>()->items) {
    const std::string name = kind.is_str() ? kind.str() : "";
    layers.push_back({name, counts[name]++});
  }
  const auto lists = module_lists(trace);
  std::map<std::string, std::set<int>> used;
  find_used(trace.root, lists, used);
  std::map<std::string, int> agreeing;  // layers, by the lists' place in them
  std::map<std::string, std::string> kind_of;
  const auto own = [&](const std::string& list) -> const Numbered* {
    const auto place = place_of(list);
    if (!place || place->layer >= static_cast<int>(layers.size())) {
      return nullptr;
    }
    const Numbered& layer = layers[place->layer];
    const int count = counts[layer.kind];
    const auto it = used.find(list);
    return count > 1 && lists.at(list) == count && it != used.end() &&
                   it->second == std::set<int>{layer.number}
               ? &layer
               : nullptr;
  };
  for (const auto& [list, size] : lists) {
    if (const Numbered* layer = own(list)) {
      const std::string path = place_of(list)->path;
      ++agreeing[path];
      kind_of[path] = layer->kind;
    }
  }
  Renaming renamed;
  for (const auto& [list, size] : lists) {
    const Numbered* layer = own(list);
    const auto place = place_of(list);
    if (layer && agreeing[place->path] == counts[layer->kind]) {
      renamed.add(list, layer->number);
      evaluation.own_elements[place->path] = kind_of[place->path];
    }
  }
  if (!renamed.empty()) {
    rename(trace, evaluation, renamed);
  }
}

namespace {

/// The source may number the layers of a kind by a list of them in the config,
/// in whatever order that has: those in ascending order are served.
void refuse_other_orders(Context& context, const std::string& kind) {
  const Value kinds =
      context.interp.try_getattr(context.evaluation.config, "layer_types");
  std::vector<Value> of_kind;
  for (const Value& other : kinds.get<eval::List>()->items) {
    if (other.is_str() && other.str() == kind) {
      of_kind.push_back(
          Value::integer(&other - kinds.get<eval::List>()->items.data()));
    }
  }
  for (const std::string& field : std::set<std::string>(context.fields)) {
    const Value listed =
        context.interp.try_getattr(context.evaluation.config, field);
    if (listed.is(eval::Kind::List) && std::ranges::equal(
                                           listed.get<eval::List>()->items,
                                           of_kind,
                                           [&](const Value& a, const Value& b) {
                                             return a.is_int() &&
                                                    a.as_int() == b.as_int();
                                           })) {
      add_guard(
          context.guards,
          {fmt::format(
               "list(self.{}) != [i for i, kind in enumerate(self.layer_types) "
               "if kind == \"{}\"]",
               field,
               kind),
           "\"" + field + " must list the " + kind + " layers in order\""});
    }
  }
}

}  // namespace

std::string own_elements(Context& context) {
  std::map<std::string, std::vector<std::string>> lists;  // by kind
  for (const auto& [path, kind] : context.own_elements) {
    lists[kind].push_back("\"" + path + "\"");
  }
  std::string out;
  for (const auto& [kind, paths] : lists) {
    std::string names;
    for (const std::string& path : paths) {
      names += (names.empty() ? "" : ", ") + path;
    }
    context.fields.insert("layer_types");
    refuse_other_orders(context, kind);
    out += fmt::format(
        "    kinds = self.args.layer_types\n"
        "    own = [i for i, kind in enumerate(kinds) if kind == \"{0}\"]\n"
        "    for n, i in enumerate(own):\n"
        "        for name in [{1}]:\n"
        "            path = f\"{2}.{{i}}.{{name}}.\"\n"
        "            used = path + f\"{{n}}.\"\n"
        "            if not any(k.startswith(used) for k in weights):\n"
        "                continue\n"
        "            rest = [k for k in weights if k.startswith(path)]\n"
        "            rest = {{k: weights.pop(k) for k in rest}}\n"
        "            for k, v in rest.items():\n"
        "                if k.startswith(used):\n"
        "                    weights[path + \"0.\" + k[len(used):]] = v\n",
        kind,
        names,
        context.layers_path);
  }
  return out;
}

}  // namespace portwright::emit

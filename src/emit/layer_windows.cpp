#include "emit/layer_windows.h"

#include <fmt/format.h>

#include "emit/backbone_parts.h"
#include "emit/flags.h"
#include "emit/guards.h"
#include "emit/layer_count.h"
#include "emit/variants.h"

namespace portwright::emit {

using eval::Provenance;
using eval::Value;

namespace {

constexpr std::string_view kArgsPrefix = "args.";

/// Of a number that a condition chose, what it is where it was chosen.
const Provenance* chosen(const Provenance* p) {
  while (p && p->kind == Provenance::Kind::Conditional &&
         (!p->left || !p->right)) {
    p = p->left ? p->left : p->right;
  }
  return p;
}

void visit_numbers(
    const Value& v,
    const std::function<void(const Value&)>& visit) {
  if (v.is(eval::Kind::Tuple)) {
    for (const Value& item : v.get<eval::Tuple>()->items) {
      visit_numbers(item, visit);
    }
  } else if (v.is_int() && !v.is_bool()) {
    visit(v);
  }
}

/// The whole numbers that a value was computed with.
void for_each_number(
    const Trace& trace,
    ValueId id,
    const std::function<void(const Value&)>& visit) {
  std::set<ValueId> seen;
  std::vector<ValueId> pending{id};
  while (!pending.empty()) {
    const ValueId next = pending.back();
    pending.pop_back();
    const OpNode* op = trace.info(next).producer;
    if (!op || !seen.insert(next).second) {
      continue;
    }
    for (const Value& arg : op->args) {
      visit_numbers(arg, visit);
    }
    pending.insert(pending.end(), op->inputs.begin(), op->inputs.end());
  }
}

/// Those that follow from the config.
std::vector<Value> numbers_behind(const Trace& trace, ValueId id) {
  std::vector<Value> out;
  for_each_number(trace, id, [&](const Value& v) {
    const Reads reads = reads_of(chosen(v.provenance()));
    if (reads.plain && !reads.fields.empty() && !reads.loop) {
      out.push_back(v);
    }
  });
  return out;
}

/// Whole numbers of the config that offsets were added to or taken from, in
/// what a value was computed with.
std::vector<std::pair<int64_t, std::string>> fields_behind(
    Context& context,
    ValueId id) {
  std::vector<std::pair<int64_t, std::string>> out;
  for_each_number(context.trace, id, [&](const Value& v) {
    for (const auto& name : reads_of(v.provenance()).fields) {
      const Value field =
          context.interp.try_getattr(context.evaluation.config, name);
      if (field.is_int() && !field.is_bool()) {
        out.emplace_back(field.as_int(), name);
      }
    }
  });
  return out;
}

/// True where the source itself has the number in what it computes.
bool has_literal(const Trace& trace, ValueId id, int64_t number) {
  bool found = false;
  for_each_number(trace, id, [&](const Value& v) {
    found = found || (!v.provenance() && std::abs(v.as_int()) == number);
  });
  return found;
}

std::string of_self(std::string text) {
  for (size_t at = 0; (at = text.find(kArgsPrefix, at)) != std::string::npos;) {
    text.replace(at, kArgsPrefix.size(), "self.");
  }
  return text;
}

/// The same where a list of the config has one of two words for each layer.
std::string kinds_by_list(Context& context, const Masks& masks) {
  const auto& attributes = *context.evaluation.config.object()->attrs;
  for (const auto& [name, value] : attributes.entries()) {
    if (!value.is(eval::Kind::List) ||
        value.get<eval::List>()->items.size() != masks.kinds.size()) {
      continue;
    }
    std::map<std::string, std::string> kinds;  // by what the list has
    bool tells = context.evaluation.json.contains(name.str());
    for (size_t i = 0; tells && i < masks.kinds.size(); ++i) {
      const Value& item = value.get<eval::List>()->items[i];
      tells = (item.is_str() || item.is_int()) &&
              kinds.emplace(literal(context.interp, item), masks.kinds[i])
                      .first->second == masks.kinds[i];
    }
    if (!tells || kinds.size() != 2) {
      continue;
    }
    context.fields.insert(name.str());
    const auto& [word, kind] = *kinds.begin();
    const bool truth = word == "True" || word == "False";
    return fmt::format(
        "\"{}\" if {} else \"{}\"\n            for kind in self.{}",
        kind,
        !truth           ? "kind == " + word
        : word == "True" ? "kind"
                         : "not kind",
        kinds.rbegin()->second,
        name.str());
  }
  return "";
}

}  // namespace

std::string window_text(Context& context, ValueId mask, int64_t window) {
  const auto numbers = numbers_behind(context.trace, mask);
  // `distance < n`, or `distance <= n` of a window of one more.
  for (const int64_t more : {0, 1, -1}) {
    for (const Value& number : numbers) {
      if (std::abs(number.as_int()) + more == window) {
        const Provenance* p = chosen(number.provenance());
        if (number.as_int() < 0 && p->kind == Provenance::Kind::Unary) {
          p = p->left;
        } else if (number.as_int() < 0) {
          continue;
        }
        const std::string text = context.args_text(p);
        return more == 0 ? text : more > 0 ? text + " + 1" : text + " - 1";
      }
    }
  }
  // `window - offset`, as of the diagonal of a triangle.
  for (const auto& [number, field] : fields_behind(context, mask)) {
    for (const int64_t more : {0, 1, -1}) {
      if (number + more == window) {
        context.fields.insert(field);
        const std::string text = std::string(kArgsPrefix) + field;
        return more == 0 ? text : more > 0 ? text + " + 1" : text + " - 1";
      }
    }
  }
  return has_literal(context.trace, mask, window) ? std::to_string(window) : "";
}

std::string window_name(const Context& context) {
  const std::string& text = context.window;
  const bool plain =
      text.starts_with(kArgsPrefix) &&
      text.find_first_of(" .([", kArgsPrefix.size()) == std::string::npos;
  return plain ? text.substr(kArgsPrefix.size()) : "window";
}

std::string keep_window(ModuleWriter& w) {
  const std::string name = window_name(w.context());
  w.initialise(name, w.context().window);
  if (w.context().window == "args.sliding_window") {
    w.context().fields.insert("sliding_window");
  }
  return "self." + name;
}

std::string rotating_cache(Context& context) {
  context.imports.insert("cache:RotatingKVCache");
  std::string text = context.window;
  if (text == "args.sliding_window") {
    context.fields.insert("sliding_window");
  }
  for (size_t at = 0; (at = text.find(kArgsPrefix, at)) != std::string::npos;
       at += kArgsPrefix.size() + 5) {
    text.insert(at, "self.");
  }
  return "RotatingKVCache(max_size=" + text + ")";
}

std::string
kinds_text(Context& context, const Roles& roles, const Masks& masks) {
  Predicates predicates(context.interp);
  std::set<int> tried;
  for (const auto& branch : all_branches(context.evaluation)) {
    const int index = predicates.index_of(branch.condition);
    if (index < 0 || !predicates.at(index).reads.loop ||
        !tried.insert(index).second) {
      continue;
    }
    std::map<bool, std::string> kinds;  // by what the condition is
    bool tells = true;
    for (size_t i = 0; tells && i < masks.kinds.size(); ++i) {
      const Truth truth = predicates.truth(
          index, context.evaluation.config, static_cast<int64_t>(i));
      tells =
          truth != Truth::Unknown &&
          kinds.emplace(truth == Truth::True, masks.kinds[i]).first->second ==
              masks.kinds[i];
    }
    if (tells && kinds.size() == 2 && kinds[true] != kinds[false]) {
      ArgsConditions conditions(context, predicates, "self.");
      bool outcome = true;
      std::string text = conditions.text(index, true);
      if (text.starts_with("not ") && negated(text) == text.substr(4)) {
        text = text.substr(4);
        outcome = false;
      }
      return fmt::format(
          "\"{}\" if {} else \"{}\"\n"
          "            for layer_idx in range({})",
          kinds[outcome],
          text,
          kinds[!outcome],
          of_self(layer_count(context, roles)));
    }
  }
  return kinds_by_list(context, masks);
}

std::string layer_types_property(const Context& context) {
  return context.kinds_text.empty()
             ? ""
             : "\n    @property\n    def layer_types(self):\n        return [\n"
               "            " +
                   context.kinds_text + "\n        ]\n";
}

}  // namespace portwright::emit

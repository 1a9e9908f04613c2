#include "emit/variants.h"

#include <regex>

namespace portwright::emit {

using eval::Value;
using trace::Branch;

namespace {

bool contains(const base::Span& outer, const base::Span& inner) {
  return outer.file == inner.file && outer.begin <= inner.begin &&
         outer.end >= inner.end;
}

struct Decision {
  base::Span span;
  bool outcome_a;  // of the first instance
};

/// The first condition with two outcomes; the whole test it is a part of.
std::optional<Decision> first_difference(
    const std::vector<Branch>& a,
    const std::vector<Branch>& b) {
  for (size_t i = 0; i < std::min(a.size(), b.size()); ++i) {
    if (a[i].span.begin != b[i].span.begin ||
        a[i].span.file != b[i].span.file) {
      return {};
    }
    if (a[i].outcome == b[i].outcome) {
      continue;
    }
    Decision found{a[i].span, a[i].outcome};
    // Operands of and/or come before the test they belong to.
    for (size_t k = i + 1; k < a.size(); ++k) {
      if (contains(a[k].span, found.span) && a[k].span.end != found.span.end) {
        for (const Branch& other : b) {
          if (other.span.begin == a[k].span.begin &&
              other.span.end == a[k].span.end &&
              other.outcome != a[k].outcome) {
            found = {a[k].span, a[k].outcome};
          }
        }
      }
    }
    return found;
  }
  return {};
}

std::vector<Branch> branches_of(const Frame& frame) {
  std::vector<Branch> out;
  for (const auto& item : frame.items) {
    if (const auto* branch = std::get_if<Branch>(&item)) {
      out.push_back(*branch);
    }
  }
  return out;
}

/// The source's condition in terms of ModelArgs and the layer index.
std::optional<std::string>
condition_text(Context& context, const base::Span& span, const Value& module) {
  static const std::set<std::string> kKept = {
      "and",
      "or",
      "not",
      "in",
      "is",
      "None",
      "True",
      "False",
      "if",
      "else",
      "len"};
  // On one line, wherever the source broke it.
  static const std::regex kBreak(R"re(\s*\n\s*)re");
  const std::string text =
      std::regex_replace(std::string(span.text()), kBreak, " ");
  if (text.find('#') != std::string::npos) {
    return {};
  }
  static const std::regex kName(
      R"re(("[^"]*"|'[^']*')|([A-Za-z_]\w*(?:\.[A-Za-z_]\w*)*))re");
  std::string out;
  size_t last = 0;
  auto construction = context.trace.constructions.find(module.object());
  for (auto it = std::sregex_iterator(text.begin(), text.end(), kName);
       it != std::sregex_iterator();
       ++it) {
    out += text.substr(last, it->position() - last);
    last = it->position() + it->length();
    std::string name = it->str();
    if ((*it)[1].matched || kKept.contains(name)) {
      out += name;
      continue;
    }
    if (name.starts_with("self.config.")) {
      name = name.substr(5);
    }
    if (name.starts_with("config.") && name.find('.', 7) == std::string::npos) {
      context.fields.insert(name.substr(7));
      out += "args." + name.substr(7);
      continue;
    }
    Value v;
    if (name.starts_with("self.") && name.find('.', 5) == std::string::npos) {
      v = context.interp.try_getattr(module, name.substr(5));
    } else if (construction != context.trace.constructions.end()) {
      const auto& c = construction->second;
      const auto& params = c.function->code->signature.params;
      for (size_t i = 0; i < params.size(); ++i) {
        if (params[i].name.str() == name) {
          v = c.args[i];
        }
      }
    }
    if (!v.defined() || !v.provenance()) {
      return {};
    }
    const std::string written = context.args_text(v);
    out +=
        written.find(' ') == std::string::npos ? written : "(" + written + ")";
  }
  return out + text.substr(last);
}

std::string attribute_of(const std::string& line) {
  const size_t equals = line.find(" = ");
  return line.starts_with("self.") && equals != std::string::npos
             ? line.substr(5, equals - 5)
             : "";
}

void conditional(
    std::vector<std::string>& out,
    const std::string& condition,
    const std::vector<std::string>& when,
    const std::vector<std::string>& otherwise) {
  auto add = [&](const std::vector<std::string>& lines) {
    for (const auto& line : lines) {
      out.push_back(line.empty() ? "" : "    " + line);
    }
  };
  if (when.empty()) {
    out.push_back("if not (" + condition + "):");
    add(otherwise);
    return;
  }
  out.push_back("if " + condition + ":");
  add(when);
  if (!otherwise.empty()) {
    out.emplace_back("else:");
    add(otherwise);
  }
}

[[noreturn]] void
give_up(Context& context, const ClassText& a, const ClassText& b) {
  context.hole(
      b.frames.front()->call,
      "'" + b.frames.front()->path + "' computes something else than '" +
          a.frames.front()->path + "', of the same class",
      "the layers differ in a way that is not understood yet");
}

/// Already joined: the text holds both sides.
bool covers(const ClassText& joined, const ClassText& b) {
  auto within = [](const std::vector<std::string>& all,
                   const std::vector<std::string>& part) {
    size_t at = 0;
    for (const auto& line : part) {
      while (at < all.size() && all[at] != line && all[at] != "    " + line) {
        ++at;
      }
      if (at++ == all.size()) {
        return false;
      }
    }
    return true;
  };
  return joined.variants > 1 && within(joined.call, b.call);
}

}  // namespace

void join_variants(Context& context, ClassText& a, const ClassText& b) {
  const Frame* first = a.frames.front();
  const Frame* second = b.frames.front();
  a.frames.push_back(second);
  if ((a.init == b.init && a.call == b.call) || covers(a, b)) {
    return;
  }
  if (a.variants > 1 || a.call_params != b.call_params) {
    give_up(context, a, b);
  }
  const auto& constructions = context.trace.constructions;
  const auto in_a = constructions.find(first->module.object());
  const auto in_b = constructions.find(second->module.object());
  std::optional<Decision> decision;
  if (in_a != constructions.end() && in_b != constructions.end()) {
    decision = first_difference(in_a->second.branches, in_b->second.branches);
  }
  if (!decision) {
    decision = first_difference(branches_of(*first), branches_of(*second));
  }
  std::optional<std::string> condition;
  if (decision) {
    condition = condition_text(context, decision->span, first->module);
  }
  if (!condition) {
    give_up(context, a, b);
  }
  auto choose = [&](std::vector<std::string>& out,
                    const std::string& test,
                    std::vector<std::string> of_a,
                    std::vector<std::string> of_b) {
    if (!decision->outcome_a) {
      std::swap(of_a, of_b);
    }
    conditional(out, test, of_a, of_b);
  };
  // __init__: attributes by name, those that differ under the condition.
  std::vector<std::string> init, only_a, only_b;
  for (const auto& line : a.init) {
    const std::string name = attribute_of(line);
    const auto other =
        std::find_if(b.init.begin(), b.init.end(), [&](const auto& l) {
          return attribute_of(l) == name;
        });
    if (other == b.init.end()) {
      only_a.push_back(line);
    } else if (*other == line) {
      init.push_back(line);
    } else {
      choose(init, *condition, {line}, {*other});
    }
  }
  for (const auto& line : b.init) {
    const bool known =
        std::any_of(a.init.begin(), a.init.end(), [&](const auto& l) {
          return attribute_of(l) == attribute_of(line);
        });
    if (!known) {
      only_b.push_back(line);
    }
  }
  if (a.call != b.call) {
    auto turns = [](const ClassText& c) {
      return std::any_of(c.call.begin(), c.call.end(), [](const auto& l) {
        return l.find("self.rope(") != std::string::npos;
      });
    };
    const bool by_rope = turns(a) != turns(b);
    const bool flag_is_a = by_rope ? turns(a) : decision->outcome_a;
    const std::string flag = by_rope ? "use_rope" : "is_variant";
    init.push_back(
        "self." + flag + " = " +
        (flag_is_a == decision->outcome_a ? *condition
                                          : "not (" + *condition + ")"));
    size_t head = 0;
    while (head < std::min(a.call.size(), b.call.size()) &&
           a.call[head] == b.call[head]) {
      ++head;
    }
    // A block is not cut: go back to where its first line stands.
    while (head > 0 && a.call[head - 1].ends_with(":")) {
      --head;
    }
    size_t tail = 0;
    while (tail < std::min(a.call.size(), b.call.size()) - head &&
           a.call[a.call.size() - 1 - tail] ==
               b.call[b.call.size() - 1 - tail]) {
      ++tail;
    }
    while (tail > 0 && a.call[a.call.size() - tail].starts_with("    ")) {
      --tail;
    }
    std::vector<std::string> call(a.call.begin(), a.call.begin() + head);
    std::vector<std::string> of_a(a.call.begin() + head, a.call.end() - tail);
    std::vector<std::string> of_b(b.call.begin() + head, b.call.end() - tail);
    if (!flag_is_a) {
      std::swap(of_a, of_b);
    }
    conditional(call, "self." + flag, of_a, of_b);
    call.insert(call.end(), a.call.end() - tail, a.call.end());
    a.call = std::move(call);
  }
  // What only one side has can be there for both, unless it is a module with
  // weights of its own.
  for (const auto* lines : {&only_a, &only_b}) {
    for (const auto& line : *lines) {
      const bool harmless = line.find("nn.") == std::string::npos;
      if (!harmless) {
        choose(
            init,
            *condition,
            lines == &only_a ? std::vector<std::string>{line}
                             : std::vector<std::string>{},
            lines == &only_b ? std::vector<std::string>{line}
                             : std::vector<std::string>{});
      } else {
        init.push_back(line);
      }
    }
  }
  a.init = std::move(init);
  for (const auto& line : a.init) {
    if (line.find("layer_idx") != std::string::npos &&
        context.indexed.insert(a.name).second) {
      a.init_params.emplace_back("layer_idx: int");
    }
  }
  a.variants = 2;
}

}  // namespace portwright::emit

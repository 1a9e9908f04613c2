#include "emit/flags.h"
#include "base/pattern.h"

namespace portwright::emit {

namespace {

/// Where `op` stands outside parentheses, if it does so once.
std::optional<size_t> only_at(const std::string& text, std::string_view op) {
  std::optional<size_t> found;
  int depth = 0;
  for (size_t i = 0; i < text.size(); ++i) {
    depth += text[i] == '(' || text[i] == '[';
    depth -= text[i] == ')' || text[i] == ']';
    if (depth == 0 && text.compare(i, op.size(), op) == 0) {
      if (found) {
        return {};
      }
      found = i;
    }
  }
  return found;
}

}  // namespace

std::string negated(const std::string& text) {
  static const std::pair<std::string_view, std::string_view> kOpposites[] = {
      {" is not ", " is "},
      {" is ", " is not "},
      {" not in ", " in "},
      {" in ", " not in "},
      {" == ", " != "},
      {" != ", " == "},
      {" > ", " <= "},
      {" <= ", " > "},
      {" < ", " >= "},
      {" >= ", " < "}};
  const bool joined = text.find(" and ") != std::string::npos ||
                      text.find(" or ") != std::string::npos ||
                      text.find(" if ") != std::string::npos;
  if (!joined && text.starts_with("not ")) {
    return text.substr(4);
  }
  for (const auto& [op, opposite] : kOpposites) {
    const auto at = only_at(text, op);
    if (!joined && at) {
      return text.substr(0, *at) + std::string(opposite) +
             text.substr(*at + op.size());
    }
  }
  return text.find(' ') == std::string::npos ? "not " + text
                                             : "not (" + text + ")";
}

namespace {

std::string
with_names(std::string text, std::string_view from, std::string_view to) {
  for (size_t at = 0; (at = text.find(from, at)) != std::string::npos;
       at += to.size()) {
    text.replace(at, from.size(), to);
  }
  return text;
}

bool is_scalar(const Statement& s) {
  return s.choice < 0 && s.body.empty() && s.text.starts_with("self.") &&
         s.text.find("nn.") == std::string::npos &&
         s.text.find('(') == std::string::npos;
}

bool mentions(const Block& block, std::string_view text) {
  return std::any_of(block.begin(), block.end(), [&](const Statement& s) {
    return s.text.find(text) != std::string::npos || mentions(s.body, text) ||
           mentions(s.clauses, text);
  });
}

}  // namespace

std::string ArgsConditions::text(int predicate, bool holds) {
  const std::string text = with_names(
      context_.args_text(predicates_.at(predicate).condition),
      "args.",
      prefix_);
  return holds ? text : negated(text);
}

Flags::Flags(
    Context& context,
    Predicates& predicates,
    const std::vector<eval::Value>& modules,
    const Block& init)
    : context_(context), predicates_(predicates) {
  for (const eval::Value& module : modules) {
    if (module.defined() && module.object()->attrs) {
      modules_.push_back(module);
    }
  }
  for (const Statement& s : init) {
    const size_t equals = s.text.find(" = ");
    if (s.text.starts_with("self.") && equals != std::string::npos) {
      known_.emplace_back(
          s.text.substr(5, equals - 5), s.text.substr(equals + 3));
    }
    has_args_ = has_args_ || s.text == "self.args = args";
    add_chosen(s);
  }
}

void Flags::add_chosen(const Statement& choice) {
  for (const bool holds : {true, false}) {
    for (const Statement& s : holds ? choice.body : choice.clauses) {
      const size_t equals = s.text.find(" = ");
      if (s.text.starts_with("self.") && equals != std::string::npos) {
        const std::string name = s.text.substr(5, equals - 5);
        chosen_.insert(name);
        makes_.try_emplace(choice.choice, name, holds);
      }
      add_chosen(s);
    }
  }
}

void Flags::study(const Block& call) {
  for (const Statement& s : call) {
    if (s.choice >= 0) {
      const bool when = mentions(s.body, "self.rope(");
      const bool otherwise = mentions(s.clauses, "self.rope(");
      if (when != otherwise) {
        rotates_.emplace(s.choice, when);
      }
    }
    study(s.body);
    study(s.clauses);
  }
}

std::string Flags::own_attribute(const std::string& spelling) const {
  for (const eval::Value& module : modules_) {
    for (const auto& [name, value] : module.object()->attrs->entries()) {
      if (value.provenance() && (value.is_bool() || value.is_int()) &&
          Predicates::spelling(value.provenance()) == spelling) {
        return house_attribute(name.str());
      }
    }
  }
  return "";
}

namespace {

/// "is_sliding" of args.layer_types[layer_idx] == "sliding_attention"; "" of
/// others.
std::string name_of_kind(const std::string& text) {
  static const base::Pattern kKind(R"re(.*== ["'](\w+?)(?:_attention)?["'])re");
  const auto found = kKind.match(text);
  return found ? "is_" + (*found)[1] : "";
}

std::string name_of_layer(const std::string& text) {
  return text == "layer_idx == 0"                            ? "is_first_layer"
         : text == "layer_idx == args.num_hidden_layers - 1" ? "is_last_layer"
                                                             : "";
}

}  // namespace

std::string Flags::named(int predicate, const std::string& text) {
  for (const auto& name : {name_of_kind(text), name_of_layer(text)}) {
    if (!name.empty()) {
      return "self." + keep(name, text);
    }
  }
  const std::string other = negated(text);
  if (const auto name = name_of_layer(other); !name.empty()) {
    return "not self." + keep(name, other);
  }
  if (const auto made = makes_.find(predicate); made != makes_.end()) {
    const auto& [attribute, holds] = made->second;
    return (holds ? "self." : "not self.") +
           keep("use_" + attribute, holds ? text : other);
  }
  return "self." + keep("is_variant", text);
}

std::string Flags::by_attributes(
    const eval::Provenance& condition,
    bool is_part) {
  using Kind = eval::Provenance::Kind;
  const std::string text = context_.args_text(&condition);
  if (condition.kind == Kind::Config) {
    const std::string field = text.substr(text.rfind('.') + 1);
    return "self." + keep(house_attribute(field), text);
  }
  const std::string spelling = Predicates::spelling(&condition);
  if (const auto own = own_attribute(spelling); !own.empty()) {
    return "self." + keep(own, text);
  }
  if (const auto own = own_attribute(negated(spelling)); !own.empty()) {
    return "not self." + keep(own, negated(text));
  }
  if (const auto kind = name_of_kind(text); is_part && !kind.empty()) {
    return "self." + keep(kind, text);
  }
  const std::string op = condition.name.str();
  const bool joins = op == "and" || op == "or" || op == "not";
  if (const Reads reads = reads_of(&condition); is_part && !joins &&
                                                reads.plain && !reads.loop &&
                                                reads.fields.size() == 1) {
    const std::string& field = *reads.fields.begin();
    return with_names(
        text,
        "args." + field,
        "self." + keep(house_attribute(field), "args." + field));
  }
  if (condition.kind == Kind::Unary && op == "not") {
    const std::string of = by_attributes(*condition.left, true);
    return of.empty() ? "" : negated(of);
  }
  if (condition.kind == Kind::Binary && (op == "and" || op == "or")) {
    std::string left = by_attributes(*condition.left, true);
    std::string right =
        left.empty() ? "" : by_attributes(*condition.right, true);
    const auto enclose = [&](std::string& part) {
      if (op == "and" && part.find(" or ") != std::string::npos) {
        part = "(" + part + ")";
      }
    };
    enclose(left);
    enclose(right);
    return right.empty() ? "" : left + " " + op + " " + right;
  }
  return "";
}

std::string Flags::keep(const std::string& name, const std::string& value) {
  for (const auto* list : {&known_, &added_}) {
    for (const auto& [own, text] : *list) {
      if (text == value) {
        return own;
      }
    }
  }
  std::string candidate = chosen_.contains(name) ? "use_" + name : name;
  auto taken = [&](const auto& list) {
    return std::any_of(list.begin(), list.end(), [&](const auto& entry) {
      return entry.first == candidate;
    });
  };
  for (int i = 2; taken(known_) || taken(added_); ++i) {
    candidate = name + "_" + std::to_string(i);
  }
  added_.emplace_back(candidate, value);
  return candidate;
}

std::string Flags::expression(int predicate) {
  if (!predicates_.at(predicate).condition) {
    return predicates_.at(predicate).text;
  }
  const std::string text =
      context_.args_text(predicates_.at(predicate).condition);
  const auto& reads = predicates_.at(predicate).reads;
  const bool one_field = !reads.loop && reads.fields.size() == 1;
  const std::string field =
      one_field ? "args." + *reads.fields.begin() : std::string();
  const bool kept =
      one_field &&
      std::any_of(known_.begin(), known_.end(), [&](const auto& k) {
        return k.second == field;
      });
  if (has_args_ && !kept) {
    return with_names(text, "args.", "self.args.");
  }
  if (one_field) {
    const std::string name =
        keep(house_attribute(*reads.fields.begin()), field);
    return with_names(text, field, "self." + name);
  }
  const auto added = added_;
  if (const auto out =
          by_attributes(*predicates_.at(predicate).condition, false);
      !out.empty()) {
    return out;
  }
  added_ = added;
  if (const auto turns = rotates_.find(predicate); turns != rotates_.end()) {
    const std::string value = turns->second ? text : negated(text);
    return std::string(turns->second ? "" : "not ") + "self." +
           keep("use_rope", value);
  }
  return named(predicate, text);
}

std::string Flags::text(int predicate, bool holds) {
  auto [it, fresh] = expressions_.try_emplace(predicate);
  if (fresh) {
    it->second = expression(predicate);
  }
  return holds ? it->second : negated(it->second);
}

void Flags::add_to(Block& init) const {
  size_t at = 0;
  while (at < init.size() && is_scalar(init[at])) {
    ++at;
  }
  for (const auto& [name, value] : added_) {
    Statement s;
    s.text = "self." + name + " = " + value;
    init.insert(init.begin() + static_cast<ptrdiff_t>(at++), std::move(s));
  }
}

}  // namespace portwright::emit

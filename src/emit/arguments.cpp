#include <functional>

#include "emit/emit.h"
#include "emit/guards.h"
#include "emit/rope_arguments.h"

#include "eval/code.h"
#include "syntax/printer.h"

namespace portwright::emit {

using eval::Value;
namespace ast = syntax;

namespace {

/// Every `self.<field>` in a piece of syntax; false when it mentions anything
/// that ModelArgs does not have (kwargs, super, other names).
class FieldUses {
 public:
  explicit FieldUses(const std::string& text) {
    size_t at = 0;
    while ((at = text.find("self.", at)) != std::string::npos) {
      size_t end = at += 5;
      while (end < text.size() &&
             (std::isalnum(static_cast<unsigned char>(text[end])) ||
              text[end] == '_')) {
        ++end;
      }
      fields.insert(text.substr(at, end - at));
      if (end < text.size() && text[end] == '(') {
        self_contained = false;  // a method of the config
      }
      at = end;
    }
    for (const char* foreign :
         {"kwargs",
          "super(",
          "logger",
          "warnings",
          "AutoConfig",
          "CONFIG",
          "rope_parameters",
          "rope_scaling",
          "raise"}) {
      self_contained =
          self_contained && text.find(foreign) == std::string::npos;
    }
  }
  std::set<std::string> fields;
  bool self_contained = true;
};

/// The statements of the config's __post_init__ that give fields their values
/// from other fields.
class Derived {
 public:
  Derived(Context& context) {
    const Value cls(
        static_cast<eval::Object*>(context.evaluation.config.object()->cls));
    const Value* hook =
        cls.get<eval::Class>()->dict.find(Symbol("__post_init__"));
    if (!hook || !hook->is(eval::Kind::Function)) {
      return;
    }
    const auto* syntax = hook->get<eval::Function>()->code->syntax;
    if (!syntax) {
      return;
    }
    bool past_super = false;
    for (const ast::Stmt* s : ast::as<ast::FunctionDef>(*syntax).body) {
      const std::string text = ast::print(*s);
      FieldUses uses(text);
      past_super = past_super || text.starts_with("super().");
      if (uses.self_contained && assigns(text)) {
        statements_.push_back({text, uses.fields, past_super});
      }
    }
  }

  /// Those that assign a field in `fields`, in order; the fields they read
  /// are added.
  std::vector<std::string> for_fields(
      std::set<std::string>& fields,
      const std::function<bool(const std::string&)>& declared) const {
    std::vector<bool> kept(statements_.size());
    for (bool changed = true; changed;) {
      changed = false;
      for (size_t i = 0; i < statements_.size(); ++i) {
        if (kept[i]) {
          continue;
        }
        for (const auto& f : fields) {
          if (statements_[i].text.find("self." + f + " = ") !=
              std::string::npos) {
            kept[i] = changed = true;
            break;
          }
        }
        if (kept[i]) {
          fields.insert(
              statements_[i].fields.begin(), statements_[i].fields.end());
        }
      }
    }
    std::vector<std::string> out;
    for (size_t i = 0; i < statements_.size(); ++i) {
      if (kept[i]) {
        const std::string& text = statements_[i].text;
        const std::string target = plain_target(text);
        if (!target.empty() && !statements_[i].past_super &&
            !declared(target)) {
          out.push_back("if self." + target + " is None:\n    " + text);
        } else {
          out.push_back(text);
        }
      }
    }
    return out;
  }

  /// "x" for the plain assignment `self.x = ...`, else "".
  static std::string plain_target(const std::string& text) {
    const size_t equals = text.find(" = ");
    return text.starts_with("self.") && equals != std::string::npos &&
                   text.find('\n') == std::string::npos
               ? text.substr(5, equals - 5)
               : "";
  }

  /// Every field that some statement assigns.
  std::set<std::string> assigned() const {
    std::set<std::string> out;
    for (const Statement& s : statements_) {
      for (const auto& f : s.fields) {
        if (s.text.find("self." + f + " = ") != std::string::npos) {
          out.insert(f);
        }
      }
    }
    return out;
  }

  /// The undeclared fields that a statement kept gives a default.
  bool gives_default(const std::string& field) const {
    return std::any_of(
        statements_.begin(), statements_.end(), [&](const Statement& s) {
          return plain_target(s.text) == field && !s.past_super;
        });
  }

 private:
  using Symbol = base::Symbol;
  struct Statement {
    std::string text;
    std::set<std::string> fields;
    /// Extra keys of config.json are set by super().__post_init__(): what
    /// stands before it only gives them a default.
    bool past_super;
  };
  static bool assigns(const std::string& text) {
    return text.find("self.") != std::string::npos &&
           text.find(" = ") != std::string::npos;
  }
  std::vector<Statement> statements_;
};

/// "int | None" -> "Optional[int]"; anything unusual is Any.
std::string type_text(std::string annotation, const Value& fallback) {
  const bool optional = annotation.find("None") != std::string::npos ||
                        annotation.find("Optional") != std::string::npos ||
                        fallback.is_none();
  std::string base = "Any";
  for (const char* name : {"bool", "float", "int", "str"}) {
    if (annotation.find(name) != std::string::npos) {
      base = name;
      break;
    }
  }
  if (annotation.find("list") != std::string::npos ||
      annotation.find("List") != std::string::npos) {
    base = base == "Any" ? "List" : "List[" + base + "]";
  } else if (
      annotation.find("dict") != std::string::npos ||
      annotation.find("Dict") != std::string::npos) {
    base = "Dict";
  }
  return optional && base != "Any" ? "Optional[" + base + "]" : base;
}

struct Field {
  std::string annotation;
  Value default_value;  // Undefined: none
};

Field field_of(const eval::Class& cls, const std::string& name) {
  Field out;
  for (const eval::Class* c : cls.mro) {
    const Value* annotations = c->dict.find(base::Symbol("__annotations__"));
    if (annotations && annotations->is(eval::Kind::Dict)) {
      if (Value* text = annotations->get<eval::Dict>()->find(name)) {
        out.annotation = text->str();
        break;
      }
    }
  }
  if (const Value* v = cls.lookup(base::Symbol(name))) {
    out.default_value = *v;
  }
  return out;
}

/// Other names of used fields: config.json may carry either.
void write_aliases(
    Context& context,
    const eval::Class& cls,
    const std::set<std::string>& fields,
    std::string& out,
    std::vector<std::string>& body) {
  const Value* map = cls.lookup(base::Symbol("attribute_map"));
  if (!map || !map->is(eval::Kind::Dict)) {
    return;
  }
  for (const auto& e : map->get<eval::Dict>()->entries()) {
    if (e.key.defined() && e.value.is_str() && fields.contains(e.value.str()) &&
        !fields.contains(e.key.str())) {
      const Field alias = field_of(cls, e.key.str());
      const Field target = field_of(cls, e.value.str());
      const bool only_alias =
          !alias.annotation.empty() && target.annotation.empty();
      if (only_alias) {  // the alias is what the config declares
        out += "    " + e.key.str() + ": " +
               type_text(alias.annotation, alias.default_value) + " = " +
               literal(context.interp, alias.default_value) + "\n";
        body.push_back("if self." + e.value.str() + " is None:");
      } else {
        out += "    " + e.key.str() + ": Optional[Any] = None\n";
        body.push_back("if self." + e.key.str() + " is not None:");
      }
      body.push_back("    self." + e.value.str() + " = self." + e.key.str());
    }
  }
}

bool is_alias_target(const eval::Class& cls, const std::string& name) {
  const Value* map = cls.lookup(base::Symbol("attribute_map"));
  if (!map || !map->is(eval::Kind::Dict)) {
    return false;
  }
  for (const auto& e : map->get<eval::Dict>()->entries()) {
    if (e.key.defined() && e.value.is_str() && e.value.str() == name) {
      return true;
    }
  }
  return false;
}

/// Fields that are never None or zero: by their default, or because a
/// statement of __post_init__ gives them a value.
std::set<std::string> assured_fields(
    Context& context,
    const eval::Class& cls,
    const Derived& derived) {
  std::set<std::string> out = derived.assigned();
  for (const eval::Class* c : cls.mro) {
    for (const auto& [name, value] : c->dict.entries()) {
      if (value.is_number() && context.interp.truthy(value)) {
        out.insert(name.str());
      }
    }
  }
  return out;
}

}  // namespace

std::string write_arguments(
    Context& context,
    std::vector<std::string>& guards) {
  const eval::Class& cls = *context.evaluation.config.object()->cls;
  const Derived derived(context);
  auto choices = find_guards(context, assured_fields(context, cls, derived));
  choices.insert(choices.begin(), context.guards.begin(), context.guards.end());
  std::set<std::string> fields = context.fields;
  const bool rope = fields.contains("rope_theta");
  const auto statements =
      derived.for_fields(fields, [&](const std::string& name) {
        return !field_of(cls, name).annotation.empty();
      });
  std::set<std::string> rope_fields;
  for (const char* name :
       {"rope_theta", "rope_scaling", "partial_rotary_factor"}) {
    if (fields.erase(name)) {
      rope_fields.insert(name);
    }
  }
  // Fields in the order of the config class, then what it inherits.
  std::vector<std::string> ordered;
  for (const eval::Class* c : cls.mro) {
    const Value* annotations = c->dict.find(base::Symbol("__annotations__"));
    if (!annotations || !annotations->is(eval::Kind::Dict)) {
      continue;
    }
    for (const auto& e : annotations->get<eval::Dict>()->entries()) {
      if (e.key.defined() && fields.contains(e.key.str()) &&
          std::find(ordered.begin(), ordered.end(), e.key.str()) ==
              ordered.end()) {
        ordered.push_back(e.key.str());
      }
    }
  }
  std::string out = "@dataclass\nclass ModelArgs(BaseModelArgs):\n";
  const Value* type = cls.lookup(base::Symbol("model_type"));
  out += "    model_type: str = " +
         context.interp.repr(type ? *type : eval::str("")) + "\n";
  for (const auto& name : ordered) {
    const Field field = field_of(cls, name);
    const bool plain =
        field.default_value.defined() &&
        (!field.default_value.is_object() || field.default_value.is_str());
    out +=
        "    " + name + ": " + type_text(field.annotation, field.default_value);
    out += " = " +
           (plain ? literal(context.interp, field.default_value)
                  : std::string("None")) +
           "\n";
  }
  const auto is_integer = [&](const std::string& name) {
    const auto it = context.defaults.find(name);
    return context.interp.try_getattr(context.evaluation.config, name)
               .is_int() ||
           (it != context.defaults.end() &&
            it->second.text.find("//") != std::string::npos);
  };
  for (const auto& name : fields) {
    if (std::find(ordered.begin(), ordered.end(), name) == ordered.end()) {
      const Value v =
          context.interp.try_getattr(context.evaluation.config, name);
      const bool plain = v.defined() && (!v.is_object() || v.is_str()) &&
                         !derived.gives_default(name) &&
                         !context.defaults.contains(name) &&
                         !is_alias_target(cls, name);
      out += "    " + name + ": " +
             (!plain && is_integer(name) ? "Optional[int]" : type_text("", v)) +
             " = " +
             (plain ? literal(context.interp, v) : std::string("None")) + "\n";
    }
  }
  std::vector<std::string> body;
  write_aliases(context, cls, fields, out, body);
  std::vector<std::string> given(statements);
  for (const auto& [name, by_default] : context.defaults) {
    const Field declared = field_of(cls, name);
    const bool never_null =
        !declared.annotation.empty() && declared.default_value.is_number() &&
        declared.annotation.find("None") == std::string::npos;
    if (by_default.text == "None" || never_null ||
        derived.assigned().contains(name)) {
      continue;
    }
    given.push_back(
        by_default.zero_too
            ? "self." + name + " = self." + name + " or " + by_default.text
            : "if self." + name + " is None:\n    self." + name + " = " +
                  by_default.text);
  }
  for (const auto& s : given) {
    std::string line;
    for (char c : s + "\n") {
      if (c == '\n') {
        body.push_back(line);
        line.clear();
      } else {
        line += c;
      }
    }
  }
  // What the config class computes in ways not translated must be given.
  for (const auto& name : ordered) {
    const Value& by_default = field_of(cls, name).default_value;
    const Value v = context.interp.try_getattr(context.evaluation.config, name);
    const bool assigned =
        std::any_of(statements.begin(), statements.end(), [&](const auto& s) {
          return s.find("self." + name + " = ") != std::string::npos;
        });
    if (by_default.is_none() && v.defined() && !v.is_none() && !assigned) {
      body.push_back("if self." + name + " is None:");
      body.push_back(
          "    raise ValueError(\"config.json must give " + name + "\")");
      guards.push_back("a config without " + name);
    }
  }
  if (rope || context.rope_by_kind) {
    write_rope_arguments(
        context,
        rope_fields.contains("partial_rotary_factor"),
        out,
        body,
        guards);
  }
  for (const Guard& g : choices) {
    body.push_back("if " + g.refused + ":");
    body.push_back("    raise ValueError(" + g.message + ")");
    guards.push_back(g.message);
  }
  if (!body.empty()) {
    out += "\n    def __post_init__(self):\n";
    for (const auto& line : body) {
      out += line.empty() ? "" : "        " + line + "\n";
    }
  }
  return out;
}

}  // namespace portwright::emit

#include <cmath>
#include <functional>

#include "base/pattern.h"
#include "emit/computed_fields.h"
#include "emit/config_class.h"
#include "emit/emit.h"
#include "emit/expression.h"
#include "emit/guards.h"
#include "emit/layer_fields.h"
#include "emit/layer_windows.h"
#include "emit/naming.h"
#include "emit/rope_arguments.h"
#include "eval/code.h"
#include "syntax/ast.h"
#include "syntax/printer.h"

namespace portwright::emit {

using eval::Value;

namespace {

/// The base of rope, as ModelArgs reads it of both forms.
constexpr std::string_view kBase = "self.rope_theta";

/// What constructors of the model's modules write into the config before they
/// read it: `if config.x is None: config.x = 2`.
std::vector<ConfigStatement> written_by_modules(const Trace& trace) {
  static const base::Pattern kWrites(R"re(\bconfig\.\w+ = )re");
  static const base::Pattern kConfig(R"re(\bconfig\.)re");
  std::vector<ConfigStatement> out;
  std::set<const eval::Class*> seen;
  for (const auto& [path, module] : trace.modules) {
    const eval::Class* cls = module.object()->cls;
    const Value* init = cls->dict.find(base::Symbol("__init__"));
    if (!seen.insert(cls).second || !init || !init->is(eval::Kind::Function)) {
      continue;
    }
    const auto& code = *init->get<eval::Function>()->code;
    if (!code.syntax || code.syntax->kind != syntax::StmtKind::FunctionDef) {
      continue;
    }
    for (const syntax::Stmt* s :
         syntax::as<syntax::FunctionDef>(*code.syntax).body) {
      const std::string text = syntax::print(*s);
      if (s->kind == syntax::StmtKind::If && kWrites.search(text) &&
          text.find("self.") == std::string::npos) {
        out.push_back(statement_of(kConfig.replace(text, "self.")));
        out.back().past_super = true;
      }
    }
  }
  return out;
}

/// The statements of the config's __post_init__ that give fields their values
/// from other fields, and those of the modules'.
class Derived {
 public:
  Derived(const eval::Class& cls, const Trace& trace)
      : statements_(config_statements(cls)) {
    for (ConfigStatement& written : written_by_modules(trace)) {
      statements_.push_back(std::move(written));
    }
    std::erase_if(statements_, [](const auto& s) { return !s.self_contained; });
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
          if (statements_[i].assigned.contains(f)) {
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
    std::erase_if(fields, is_variable);
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

  /// True where a field is computed from the base of rope.
  bool reads_base(const std::set<std::string>& fields) const {
    return std::any_of(
        statements_.begin(), statements_.end(), [&](const auto& s) {
          return s.text.find(kBase) != std::string::npos &&
                 std::any_of(
                     s.assigned.begin(), s.assigned.end(), [&](auto& name) {
                       return name != "rope_theta" && fields.contains(name);
                     });
        });
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
    for (const ConfigStatement& s : statements_) {
      out.insert(s.assigned.begin(), s.assigned.end());
    }
    return out;
  }

  /// The undeclared fields that a statement kept gives a default.
  bool gives_default(const std::string& field) const {
    return std::any_of(
        statements_.begin(), statements_.end(), [&](const ConfigStatement& s) {
          return plain_target(s.text) == field && !s.past_super;
        });
  }

 private:
  std::vector<ConfigStatement> statements_;
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
  const auto mentions = [&](const char* text) {
    return annotation.find(text) != std::string::npos;
  };
  if (mentions("list") || mentions("List") || mentions("tuple")) {
    base = base == "Any" ? "List" : "List[" + base + "]";
  } else if (
      annotation.find("dict") != std::string::npos ||
      annotation.find("Dict") != std::string::npos) {
    base = "Dict";
  }
  return optional && base != "Any" ? "Optional[" + base + "]" : base;
}

/// The same of a declared field; where nothing but its default says what it
/// is, as that and `value` are.
std::string type_text(const ConfigField& field, const Value& value) {
  if (!field.inferred) {
    return type_text(field.annotation, field.default_value);
  }
  if (!field.default_value.is_none()) {
    return type_text(
        field.annotation.substr(0, field.annotation.find(' ')),
        field.default_value);
  }
  return value.is_str() || value.is_number()
             ? type_text(type_name(value), Value::none())
             : "Any";
}

/// Other names of used fields: config.json may carry either. `after` all else
/// both are the same.
void write_aliases(
    Context& context,
    const eval::Class& cls,
    const std::set<std::string>& fields,
    std::string& out,
    std::vector<std::string>& body,
    std::vector<std::string>& after) {
  for (const auto& [name, field] : other_names(cls)) {
    if (fields.contains(name) && fields.contains(field)) {
      body.push_back("if self." + name + " is not None:");
      body.push_back("    self." + field + " = self." + name);
      after.push_back("self." + name + " = self." + field);
      continue;
    }
    if (fields.contains(name) && !fields.contains(field)) {
      // Read by the other name only; this is the one that is saved.
      const ConfigField saved = config_field(cls, field);
      const bool plain =
          saved.default_value.defined() &&
          (!saved.default_value.is_object() || saved.default_value.is_str());
      out += "    " + field + ": " +
             type_text(saved.annotation, saved.default_value) + " = " +
             (plain ? literal(context.interp, saved.default_value) : "None") +
             "\n";
      body.push_back("if self." + name + " is None:");
      body.push_back("    self." + name + " = self." + field);
      continue;
    }
    if (fields.contains(field) && !fields.contains(name)) {
      const ConfigField alias = config_field(cls, name);
      const ConfigField target = config_field(cls, field);
      const bool only_alias =
          !alias.annotation.empty() && target.annotation.empty();
      if (only_alias) {  // the alias is what the config declares
        out += "    " + name + ": " +
               type_text(alias.annotation, alias.default_value) + " = " +
               literal(context.interp, alias.default_value) + "\n";
        body.push_back("if self." + field + " is None:");
      } else {
        out += "    " + name + ": Optional[Any] = None\n";
        body.push_back("if self." + name + " is not None:");
      }
      body.push_back("    self." + field + " = self." + name);
    }
  }
}

/// Configs inside the config: a class of arguments for each, of the fields
/// that are read ("attn_config.clip_qkv"). Those fields are taken out of
/// `fields`, the config's own field is put in.
class NestedConfigs {
 public:
  NestedConfigs(Context& context, std::set<std::string>& fields)
      : context_(context) {
    for (const auto& name : std::set<std::string>(fields)) {
      if (const size_t dot = name.find('.'); dot != std::string::npos) {
        nested_[name.substr(0, dot)].insert(name.substr(dot + 1));
        fields.erase(name);
      }
    }
    for (const auto& [name, read] : nested_) {
      fields.insert(name);
    }
  }

  bool contains(const std::string& field) const {
    return nested_.contains(field);
  }

  std::string classes() const {
    std::string out;
    for (const auto& [name, read] : nested_) {
      const Value config =
          context_.interp.try_getattr(context_.evaluation.config, name);
      if (!config.is_object() || !config.is(eval::Kind::Instance)) {
        context_.hole({}, "the config field '" + name + "' holds no config");
      }
      const eval::Class& cls = *config.object()->cls;
      out += "@dataclass\nclass " + pascal_case(name) + "(BaseModelArgs):\n";
      for (const auto& field : read) {
        const ConfigField f = config_field(cls, field);
        const bool plain =
            f.default_value.defined() &&
            (!f.default_value.is_object() || f.default_value.is_str());
        if (!plain || field.find('.') != std::string::npos) {
          context_.hole({}, "'" + name + "." + field + "' has no default");
        }
        out += "    " + field + ": " +
               type_text(f.annotation, f.default_value) + " = " +
               literal(context_.interp, f.default_value) + "\n";
      }
      out += "\n\n";
    }
    return out;
  }

  void read_them(std::vector<std::string>& body) const {
    for (const auto& [name, read] : nested_) {
      body.push_back(
          "self." + name + " = " + pascal_case(name) + ".from_dict(self." +
          name + " or {})");
    }
  }

 private:
  Context& context_;
  std::map<std::string, std::set<std::string>> nested_;
};

/// True for either name of a pair.
bool has_alias(const eval::Class& cls, const std::string& name) {
  const auto others = other_names(cls);
  return std::any_of(others.begin(), others.end(), [&](const auto& pair) {
    return pair.first == name || pair.second == name;
  });
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

namespace {

bool is_infinite(const Value& v) {
  return v.is_float() && std::isinf(v.as_double());
}

/// A scalar or a tuple of scalars as a field's default; None for the rest.
std::string default_text(eval::Interpreter& interp, const Value& v) {
  if (v.is(eval::Kind::Tuple)) {
    std::vector<std::string> items;
    for (const Value& item : v.get<eval::Tuple>()->items) {
      if (item.is_object() && !item.is_str()) {
        return "None";
      }
      items.push_back(literal(interp, item));
    }
    return "(" + join(items) + (items.size() == 1 ? ",)" : ")");
  }
  return v.defined() && (!v.is_object() || v.is_str()) ? literal(interp, v)
                                                       : "None";
}

/// What save_pretrained writes of a tuple with infinities, read back.
std::string read_infinities(const std::string& name, const Value& by_default) {
  const bool any = by_default.is(eval::Kind::Tuple) &&
                   std::any_of(
                       by_default.get<eval::Tuple>()->items.begin(),
                       by_default.get<eval::Tuple>()->items.end(),
                       is_infinite);
  return any ? "self." + name +
                   " = [float(x[\"__float__\"]) if isinstance(x, dict) else "
                   "x for x in self." +
                   name + "]"
             : "";
}

}  // namespace

namespace {

/// True where one of the configs that the file is for has None there.
bool serves_none(const std::vector<Context*>& drafts, const std::string& name) {
  return std::any_of(drafts.begin(), drafts.end(), [&](const Context* draft) {
    return draft->interp.try_getattr(draft->evaluation.config, name).is_none();
  });
}

/// What the config class computes in ways not translated must be given.
void require(
    const std::string& name,
    std::vector<std::string>& body,
    std::vector<std::string>& guards) {
  body.push_back("if self." + name + " is None:");
  body.push_back(
      "    raise ValueError(\"config.json must give " + name + "\")");
  guards.push_back("a config without " + name);
}

void add_lines(
    const std::vector<std::string>& texts,
    std::vector<std::string>& body) {
  for (const auto& s : texts) {
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
}

}  // namespace

namespace {

/// What reads the names that kinds of layers had before the library renamed
/// them, as many released configs have them, where layers keep more than keys.
std::vector<std::string> rename_old_kinds(const Context& context) {
  const auto& kinds = context.layer_kinds;
  if (!kinds.contains("linear_attention") &&
      !kinds.contains("indexed_attention")) {
    return {};
  }
  const Value library(
      context.interp.import_module("transformers.configuration_utils"));
  const Value renamed =
      context.interp.try_getattr(library, "_LEGACY_LAYER_TYPE_REMAP");
  std::vector<std::string> names;
  if (renamed.is(eval::Kind::Dict)) {
    for (const auto& entry : renamed.get<eval::Dict>()->entries()) {
      const Value &old = entry.key, &now = entry.value;
      if (old.is_str() && now.is_str() && kinds.contains(now.str())) {
        names.push_back("\"" + old.str() + "\": \"" + now.str() + "\"");
      }
    }
  }
  if (names.empty()) {
    return {};
  }
  return {
      "names = {" + join(names) + "}",
      "self.layer_types = [names.get(x, x) for x in self.layer_types]"};
}

}  // namespace

std::string write_arguments(
    Configs& configs,
    const std::vector<Context*>& drafts,
    std::vector<std::string>& guards) {
  Context& context = *drafts.front();
  const eval::Class& cls = *context.evaluation.config.object()->cls;
  const Derived derived(cls, context.trace);
  auto choices = find_guards(drafts, assured_fields(context, cls, derived));
  choices.insert(choices.begin(), context.guards.begin(), context.guards.end());
  std::set<std::string> fields = context.fields;
  const std::string computed =
      write_computed_fields(cls, fields) + layer_types_property(context);
  if (!context.kinds_text.empty()) {
    fields.erase("layer_types");
  }
  const bool partial = fields.contains("partial_rotary_factor");
  if (!context.rope_by_kind && derived.reads_base(fields)) {
    context.fields.insert("rope_theta");
  }
  const bool rope = context.fields.contains("rope_theta");
  std::set<std::string> rope_fields{"rope_theta", "rope_scaling"};
  if (rope || context.rope_by_kind) {
    rope_fields.insert("partial_rotary_factor");
  }
  const auto leave_rope = [&] {
    std::erase_if(
        fields, [&](const auto& name) { return rope_fields.contains(name); });
  };
  leave_rope();
  auto statements = derived.for_fields(fields, [&](const std::string& name) {
    return name.find('.') != std::string::npos ||
           !config_field(cls, name).annotation.empty();
  });
  leave_rope();
  // What reads the base of rope comes after it.
  const auto late = std::stable_partition(
      statements.begin(), statements.end(), [](const std::string& text) {
        return text.find(kBase) == std::string::npos;
      });
  const std::vector<std::string> of_base(late, statements.end());
  const NestedConfigs nested(context, fields);
  // Fields in the order of the config class, then what it inherits.
  std::vector<std::string> ordered = declared_fields(cls);
  std::erase_if(ordered, [&](const auto& f) { return !fields.contains(f); });
  std::string out =
      nested.classes() + "@dataclass\nclass ModelArgs(BaseModelArgs):\n";
  const Value* type = cls.lookup(base::Symbol("model_type"));
  out += "    model_type: str = " +
         context.interp.repr(type ? *type : eval::str("")) + "\n";
  for (const auto& name : ordered) {
    const ConfigField field = config_field(cls, name);
    out += "    " + name + ": " +
           type_text(
               field,
               context.interp.try_getattr(context.evaluation.config, name)) +
           " = " + default_text(context.interp, field.default_value) + "\n";
  }
  const auto is_integer = [&](const std::string& name) {
    const auto it = context.defaults.find(name);
    return context.interp.try_getattr(context.evaluation.config, name)
               .is_int() ||
           (it != context.defaults.end() &&
            it->second.text.find("//") != std::string::npos);
  };
  for (const auto& name : fields) {
    if (std::find(ordered.begin(), ordered.end(), name) != ordered.end()) {
      continue;
    }
    const Value v = context.interp.try_getattr(context.evaluation.config, name);
    const Value& own = config_field(cls, name).default_value;
    const bool plain = own.defined() && (!own.is_object() || own.is_str()) &&
                       !context.defaults.contains(name);
    out += "    " + name + ": ";
    out += plain && own.is_int() && !own.is_bool() ? "int"
           : name == context.layer_fields          ? "Optional[Dict]"
           : !plain && is_integer(name)            ? "Optional[int]"
                                                   : type_text("", v);
    out += " = " + (plain ? literal(context.interp, own) : "None") + "\n";
    if (!plain && !derived.gives_default(name) &&
        !context.defaults.contains(name) && !has_alias(cls, name) &&
        !is_computed_field(cls, name)) {
      ordered.push_back(name);
    }
  }
  std::vector<std::string> body;
  nested.read_them(body);
  std::vector<std::string> same;
  write_aliases(context, cls, fields, out, body, same);
  std::vector<std::string> given(statements.begin(), late);
  for (const auto& name : ordered) {
    const std::string text =
        read_infinities(name, config_field(cls, name).default_value);
    if (!text.empty()) {
      given.push_back(text);
    }
  }
  std::set<std::string> never_empty;
  for (const auto& [name, by_default] : context.defaults) {
    const ConfigField declared = config_field(cls, name);
    const bool never_null =
        !declared.annotation.empty() && declared.default_value.is_number() &&
        declared.annotation.find("None") == std::string::npos;
    if (by_default.text == "None" || never_null ||
        derived.assigned().contains(name) || rope_fields.contains(name)) {
      continue;
    }
    if (by_default.zero_too) {
      never_empty.insert("not self." + name);
    }
    given.push_back(
        by_default.zero_too
            ? "self." + name + " = self." + name + " or " + by_default.text
            : "if self." + name + " is None:\n    self." + name + " = " +
                  by_default.text);
  }
  add_lines(given, body);
  body.insert(body.end(), same.begin(), same.end());
  if (fields.contains("layer_types") &&
      computed.find("def layer_types(") == computed.npos) {
    add_lines(rename_old_kinds(context), body);
  }
  for (const auto& name : ordered) {
    const Value& by_default = config_field(cls, name).default_value;
    const Value v = context.interp.try_getattr(context.evaluation.config, name);
    const bool assigned =
        std::any_of(statements.begin(), statements.end(), [&](const auto& s) {
          return s.find("self." + name + " = ") != std::string::npos;
        });
    const bool none = !by_default.defined() || by_default.is_none();
    if (none && v.defined() && !v.is_none() && !assigned &&
        !nested.contains(name) && !serves_none(drafts, name)) {
      require(name, body, guards);
    }
  }
  if (const std::string& name = context.layer_fields;
      !name.empty() && !derived.assigned().contains(name)) {
    require(name, body, guards);
  }
  const auto read = layer_fields_read(context);
  body.insert(body.end(), read.begin(), read.end());
  write_rope_arguments(context, configs, partial, out, body, guards);
  add_lines(of_base, body);
  for (const Guard& g : choices) {
    if (never_empty.contains(g.refused)) {
      continue;  // it has its default by then
    }
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
  return out + computed + layer_fields_method(context);
}

}  // namespace portwright::emit

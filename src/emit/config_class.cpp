#include "emit/config_class.h"

#include <algorithm>
#include <optional>

#include "base/pattern.h"
#include "emit/config_text.h"
#include "eval/code.h"
#include "library/config_json.h"
#include "syntax/printer.h"

namespace portwright::emit {

using base::Symbol;
using eval::Value;

namespace {

/// Names that mean the same in ModelArgs.
bool is_common(const std::string& name) {
  static const std::set<std::string> kCommon = {
      "if",        "else",       "elif",   "for",   "in",         "not",
      "and",       "or",         "is",     "None",  "True",       "False",
      "abs",       "all",        "any",    "bool",  "dict",       "float",
      "int",       "len",        "list",   "max",   "min",        "range",
      "round",     "set",        "str",    "sum",   "tuple",      "zip",
      "enumerate", "isinstance", "sorted", "raise", "ValueError", "return",
      "continue",  "break"};
  return kCommon.contains(name);
}

/// Stands before the name of a variable of the method among fields.
constexpr char kVariable = '$';

/// What the text names: of an f-string, the expressions in it.
std::string with_formatted(std::string text) {
  static const base::Pattern kFormatted(R"re(\bf("[^"\n]*"|'[^'\n]*'))re");
  static const base::Pattern kPart(R"re(\{([^{}:!]*)[^{}]*\})re");
  while (const auto found = kFormatted.search(text)) {
    const std::string inner = (*found)[1];
    std::string parts = "(";
    for (const auto& part : kPart.all(inner)) {
      parts += part[1] + ", ";
    }
    text = found->before() + parts + ")" + found->after();
  }
  return text;
}

/// The variables that the text gives a value, `:=` included.
std::set<std::string> variables_in(const std::string& text) {
  static const base::Pattern kAssigned(
      R"re((?:^|\n)[ ]*(\w+) = |\((\w+) := )re");
  std::set<std::string> out;
  for (const auto& found : kAssigned.all(text)) {
    out.insert(found[1] + found[2]);
  }
  return out;
}

/// True for `[-1] = ` at that place.
bool is_item_assigned(const std::string& text, size_t at) {
  const size_t end = text.find(']', at);
  return text.compare(at, 1, "[") == 0 && end != std::string::npos &&
         text.find('\n', at) > end && text.compare(end + 1, 3, " = ") == 0;
}

/// Every field in a piece of syntax, and whether there is anything else.
/// `variables`: of the statements before it.
void read_fields(ConfigStatement& s, const std::set<std::string>& variables) {
  const std::string text = with_formatted(s.text);
  std::set<std::string> bound = variables_in(text);
  for (const std::string& name : bound) {
    s.assigned.insert(kVariable + name);
  }
  for (size_t at = text.find("for "); at != std::string::npos;
       at = text.find("for ", at + 4)) {
    const size_t end = text.find(" in ", at);
    for (const Name& name : names_in(text.substr(
             at + 4, end == std::string::npos ? 0 : end - at - 4))) {
      bound.insert(name.text);
    }
  }
  for (const Name& name : names_in(text)) {
    const std::string& whole = name.text;
    const std::string first = whole.substr(0, whole.find('.'));
    const bool called = text.compare(name.end, 1, "(") == 0;
    const bool keyword = text.compare(name.end, 1, "=") == 0 &&
                         text.compare(name.end, 2, "==") != 0;
    if (whole.starts_with("self.")) {
      // A method of the config is foreign, one of a field's value is not.
      std::string field = whole.substr(5);
      if (called && field.find('.') == std::string::npos) {
        s.self_contained = false;
      } else if (called) {
        field.resize(field.rfind('.'));
      }
      s.fields.insert(field);
      if (text.compare(name.end, 3, " = ") == 0 ||
          is_item_assigned(text, name.end)) {
        s.assigned.insert(field);
      }
    } else if (!keyword && !is_common(first) && !bound.contains(first)) {
      s.self_contained = s.self_contained && variables.contains(first);
      s.fields.insert(kVariable + first);
    }
  }
  for (const char* foreign : {"rope_parameters", "rope_scaling"}) {
    s.self_contained =
        s.self_contained && text.find(foreign) == std::string::npos;
  }
}

/// x = kwargs.pop("key", 4): the local, or an attribute of the class's own,
/// and the field for what config.json has there.
std::optional<std::pair<std::string, std::string>> popped(
    const std::string& text) {
  static const base::Pattern kPop(
      R"re((\w+|self\._\w+) = kwargs\.(?:pop|get)\(["'](\w+)["'](?:, )re" +
      kLiteral + R"re()?\)\s*)re");
  const auto found = kPop.match(text);
  return found ? std::optional(std::pair((*found)[1], "self." + (*found)[2]))
               : std::nullopt;
}

/// x = kwargs.get("key", {}): the local, and the field, which is then empty
/// where config.json has none.
std::optional<std::pair<std::string, std::string>> popped_mapping(
    const std::string& text) {
  static const base::Pattern kPop(
      R"re((\w+) = kwargs\.(?:pop|get)\(["'](\w+)["'], \{\}\)\s*)re");
  const auto found = kPop.match(text);
  return found ? std::optional(std::pair((*found)[1], (*found)[2]))
               : std::nullopt;
}

/// self.x = kwargs.get("x", self.y // 2): a field, computed where config.json
/// has none.
std::string with_computed_default(const std::string& text) {
  static const base::Pattern kTaken(
      R"re(self\.(\w+) = kwargs\.(?:pop|get)\(["'](\w+)["'], (.+)\)\s*)re");
  static const base::Pattern kPlain(kLiteral);
  const auto found = kTaken.match(text);
  if (!found || (*found)[1] != (*found)[2] || kPlain.match((*found)[3])) {
    return text;
  }
  const std::string field = "self." + (*found)[1];
  return "if " + field + " is None:\n    " + field + " = " + (*found)[3] + "\n";
}

/// A method that a class writes in Python; null when it does not.
const eval::Function* own_method(const eval::Class& cls, const char* name) {
  const Value* method = cls.dict.find(Symbol(name));
  return method && method->is(eval::Kind::Function) &&
                 method->get<eval::Function>()->code->syntax
             ? method->get<eval::Function>()
             : nullptr;
}

/// True for `*args` and `**kwargs` alone, as the wrapper of a dataclass has it.
bool names_no_key(const eval::Function& init) {
  using ParamKind = eval::Signature::ParamKind;
  const auto& params = init.code->signature.params;
  return std::count_if(params.begin(), params.end(), [](const auto& p) {
           return p.kind == ParamKind::Normal ||
                  p.kind == ParamKind::KeywordOnly;
         }) <= 1;
}

/// The method that makes fields of config.json: the nearest `__post_init__`, or
/// the `__init__` of configs that are no dataclasses.
const eval::Function* maker(const eval::Class& cls) {
  for (const eval::Class* c : cls.mro) {
    if (const auto* hook = own_method(*c, "__post_init__")) {
      return hook;
    }
    const auto* init = own_method(*c, "__init__");
    if (init && !names_no_key(*init)) {
      return init;
    }
  }
  return nullptr;
}

/// Calls `take(parameter, default)` for each parameter of a class's own
/// `__init__` that a key of config.json is given to, the annotation printed.
template <typename Take>
void for_parameters(const eval::Class& cls, const Take& take) {
  const eval::Function* init = own_method(cls, "__init__");
  if (!init) {
    return;
  }
  const auto& written =
      *syntax::as<syntax::FunctionDef>(*init->code->syntax).args;
  std::map<std::string, std::string> annotations;
  for (const auto* group : {&written.args, &written.kwonlyargs}) {
    for (const syntax::Arg* arg : *group) {
      annotations[arg->name.str()] =
          arg->annotation ? syntax::print(*arg->annotation) : "";
    }
  }
  using ParamKind = eval::Signature::ParamKind;
  const auto& params = init->code->signature.params;
  for (size_t i = 1; i < params.size(); ++i) {
    if (params[i].kind == ParamKind::Normal ||
        params[i].kind == ParamKind::KeywordOnly) {
      const std::string& name = params[i].name.str();
      take(name, init->defaults[i], annotations[name]);
    }
  }
}

/// What a method takes for a key that config.json lacks; Undefined when it
/// names no number, text or truth.
Value taken_default(const eval::Function& method, const std::string& key) {
  const std::string text = syntax::print(*method.code->syntax);
  const base::Pattern taken(
      R"re(kwargs\.(?:pop|get)\(["'])re" + key + R"re(["'], ()re" + kLiteral +
      R"re()\))re");
  const auto found = taken.search(text);
  if (!found) {
    return {};
  }
  std::string literal = (*found)[1];
  if (literal == "True" || literal == "False") {
    return Value::boolean(literal == "True");
  }
  std::replace(literal.begin(), literal.end(), '\'', '"');
  const auto json = nlohmann::json::parse(literal, nullptr, false);
  return json.is_primitive() && !json.is_null() ? library::to_value(json)
                                                : Value();
}

/// ... or the method of a class above, which keywords are handed on to.
Value taken_default(const eval::Class& cls, const std::string& key) {
  const eval::Function* method = maker(cls);
  if (!method) {
    return {};
  }
  Value out = taken_default(*method, key);
  for (const eval::Class* c : cls.mro) {
    const auto* init = own_method(*c, "__init__");
    if (!out.defined() && init && method->name == "__init__") {
      out = taken_default(*init, key);
    }
  }
  return out;
}

/// self.x = self.x, as a parameter that is kept reads in terms of fields.
bool is_identity(const std::string& text) {
  static const base::Pattern kSame(R"re(self\.(\w+) = self\.(\w+)\s*)re");
  const auto found = kSame.match(text);
  return found && (*found)[1] == (*found)[2];
}

}  // namespace

ConfigStatement statement_of(
    const std::string& text,
    const std::set<std::string>& variables) {
  ConfigStatement out;
  out.text = text;
  read_fields(out, variables);
  return out;
}

std::string type_name(const Value& v) {
  return v.is_bool()              ? "bool"
         : v.is_int()             ? "int"
         : v.is_float()           ? "float"
         : v.is_str()             ? "str"
         : v.is(eval::Kind::List) ? "list"
         : v.is(eval::Kind::Dict) ? "dict"
                                  : "Any";
}

bool is_variable(const std::string& field) {
  return field.starts_with(kVariable);
}

std::vector<std::pair<std::string, std::string>> other_names(
    const eval::Class& cls) {
  std::vector<std::pair<std::string, std::string>> out;
  const Value* map = cls.lookup(Symbol("attribute_map"));
  if (map && map->is(eval::Kind::Dict)) {
    for (const auto& e : map->get<eval::Dict>()->entries()) {
      if (e.key.defined() && e.key.is_str() && e.value.is_str()) {
        out.emplace_back(e.key.str(), e.value.str());
      }
    }
  }
  return out;
}

std::string declared_name(const eval::Class& cls, const std::string& name) {
  for (const auto& [other, field] : other_names(cls)) {
    if (other == name) {
      return field;
    }
  }
  return name;
}

ConfigField config_field(const eval::Class& cls, const std::string& name) {
  ConfigField out;
  for (const eval::Class* c : cls.mro) {
    const Value* annotations = c->dict.find(Symbol("__annotations__"));
    if (annotations && annotations->is(eval::Kind::Dict)) {
      if (Value* text = annotations->get<eval::Dict>()->find(name)) {
        out.annotation = text->str();
        break;
      }
    }
    bool found = false;
    for_parameters(
        *c,
        [&](const std::string& parameter,
            const Value& by_default,
            const std::string& annotation) {
          if (parameter == name) {
            found = true;
            out.inferred = annotation.empty();
            out.annotation =
                out.inferred ? type_name(by_default) + " | None" : annotation;
            out.default_value = by_default;
          }
        });
    if (found) {
      return out;
    }
  }
  if (const Value* v = cls.lookup(Symbol(name))) {
    out.default_value = *v;
  } else {
    out.default_value = taken_default(cls, name);
  }
  return out;
}

std::vector<std::string> declared_fields(const eval::Class& cls) {
  std::vector<std::string> out;
  const auto add = [&](const std::string& name) {
    if (std::find(out.begin(), out.end(), name) == out.end()) {
      out.push_back(name);
    }
  };
  for (const eval::Class* c : cls.mro) {
    const Value* annotations = c->dict.find(Symbol("__annotations__"));
    if (annotations && annotations->is(eval::Kind::Dict)) {
      for (const auto& e : annotations->get<eval::Dict>()->entries()) {
        if (e.key.defined()) {
          add(e.key.str());
        }
      }
    }
    for_parameters(*c, [&](const std::string& name, auto&&...) { add(name); });
  }
  return out;
}

bool is_always_given(const eval::Class& cls, const std::string& name) {
  const std::string declared = declared_name(cls, name);
  const ConfigField field = config_field(cls, declared);
  if (!field.annotation.empty() && field.default_value.is_number() &&
      field.annotation.find("None") == std::string::npos &&
      field.annotation.find("Optional") == std::string::npos) {
    return true;
  }
  const auto statements = config_statements(cls);
  return std::any_of(statements.begin(), statements.end(), [&](const auto& s) {
    return s.self_contained && s.text.starts_with("self." + declared + " = ") &&
           s.text.find("self." + declared, 5) == std::string::npos &&
           s.text.find("None") == std::string::npos;
  });
}

std::vector<ConfigStatement> config_statements(const eval::Class& cls) {
  std::vector<ConfigStatement> out;
  const eval::Function* method = maker(cls);
  if (!method || (method->name == "__post_init__" &&
                  method != own_method(cls, "__post_init__"))) {
    return out;
  }
  bool past_super = false;
  std::map<std::string, std::string> locals;
  std::set<std::string> variables;
  if (method->name == "__init__") {
    for_parameters(cls, [&](const std::string& name, auto&&...) {
      locals[name] = "self." + name;
    });
  }
  // Parameters that are the field from here on, and those whose field is not.
  std::set<std::string> stored, replaced;
  for (const syntax::Stmt* s :
       syntax::as<syntax::FunctionDef>(*method->code->syntax).body) {
    ConfigStatement statement;
    statement.text = syntax::print(*s);
    if (const auto local = popped(statement.text)) {
      locals.insert(*local);
      continue;
    }
    if (const auto local = popped_mapping(statement.text)) {
      const std::string field = "self." + local->second;
      locals.insert({local->first, field});
      for (const char* read : {".get", ".items", ".keys", ".values"}) {
        locals.insert({local->first + read, field + read});
      }
      const std::string given =
          "if " + field + " is None:\n    " + field + " = {}\n";
      out.push_back(statement_of(given, {}));
      out.back().past_super = past_super;
      continue;
    }
    const std::string written = statement.text;
    statement.text = in_fields(
        cls, *method, renamed(with_computed_default(written), locals));
    past_super = past_super || statement.text.starts_with("super().");
    statement.past_super = past_super;
    if (past_super) {  // which has brought the rotary parameters into one form
      static const base::Pattern kBase(
          R"re(self\.rope_parameters\[["']rope_theta["']\])re");
      statement.text = kBase.replace(statement.text, "self.rope_theta");
    }
    if (is_identity(statement.text)) {
      stored.insert(statement.text.substr(0, statement.text.find(' ')));
      continue;
    }
    read_fields(statement, variables);
    for (const Name& name : names_in(written)) {
      statement.self_contained =
          statement.self_contained && !replaced.contains(name.text);
    }
    for (const std::string& name : statement.assigned) {
      if (is_variable(name) && statement.self_contained) {
        variables.insert(name.substr(1));
      } else if (written.find("self." + name + " = ") != std::string::npos) {
        replaced.insert(name);
      } else if (stored.contains("self." + name)) {
        statement.self_contained = false;
      }
    }
    if (!statement.assigned.empty()) {
      out.push_back(std::move(statement));
    }
  }
  return out;
}

}  // namespace portwright::emit

#include "emit/config_class.h"

#include <algorithm>

#include "eval/code.h"
#include "syntax/printer.h"

namespace portwright::emit {

using base::Symbol;
using eval::Value;

namespace {

/// Every `self.<field>` in a piece of syntax.
void read_fields(ConfigStatement& s) {
  const std::string& text = s.text;
  size_t at = 0;
  while ((at = text.find("self.", at)) != std::string::npos) {
    size_t end = at += 5;
    while (end < text.size() &&
           (std::isalnum(static_cast<unsigned char>(text[end])) ||
            text[end] == '_')) {
      ++end;
    }
    const std::string field = text.substr(at, end - at);
    s.fields.insert(field);
    if (text.compare(end, 3, " = ") == 0) {
      s.assigned.insert(field);
    }
    if (end < text.size() && text[end] == '(') {
      s.self_contained = false;  // a method of the config
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
    s.self_contained =
        s.self_contained && text.find(foreign) == std::string::npos;
  }
}

}  // namespace

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
  }
  if (const Value* v = cls.lookup(Symbol(name))) {
    out.default_value = *v;
  }
  return out;
}

std::vector<ConfigStatement> config_statements(const eval::Class& cls) {
  std::vector<ConfigStatement> out;
  const Value* hook = cls.dict.find(Symbol("__post_init__"));
  if (!hook || !hook->is(eval::Kind::Function)) {
    return out;
  }
  const auto* function = hook->get<eval::Function>()->code->syntax;
  if (!function) {
    return out;
  }
  bool past_super = false;
  for (const syntax::Stmt* s :
       syntax::as<syntax::FunctionDef>(*function).body) {
    ConfigStatement statement;
    statement.text = syntax::print(*s);
    past_super = past_super || statement.text.starts_with("super().");
    statement.past_super = past_super;
    read_fields(statement);
    if (!statement.assigned.empty()) {
      out.push_back(std::move(statement));
    }
  }
  return out;
}

}  // namespace portwright::emit

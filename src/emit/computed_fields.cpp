#include "emit/computed_fields.h"

#include "emit/config_class.h"
#include "eval/code.h"
#include "syntax/printer.h"

namespace portwright::emit {

using base::Symbol;
using eval::Value;
namespace ast = syntax;

namespace {

/// The statements of the property's getter; null when it is none, or says more
/// than ModelArgs can.
const ast::FunctionDef* getter_of(
    const eval::Class& cls,
    const std::string& name) {
  const Value* property = cls.lookup(Symbol(declared_name(cls, name)));
  if (!property || !property->is(eval::Kind::Property)) {
    return nullptr;
  }
  const Value& getter = property->get<eval::Property>()->getter;
  return getter.is(eval::Kind::Function) &&
                 getter.get<eval::Function>()->code->syntax
             ? &ast::as<ast::FunctionDef>(
                   *getter.get<eval::Function>()->code->syntax)
             : nullptr;
}

/// Its lines, four spaces a level; none where a line mentions what ModelArgs
/// does not have.
std::vector<std::string> body_of(
    const ast::FunctionDef& getter,
    std::set<std::string>& fields) {
  std::vector<std::string> out;
  std::set<std::string> variables;
  for (const ast::Stmt* s : getter.body) {
    const std::string text = ast::print(*s);
    if (text.starts_with("\"") || text.starts_with("'")) {
      continue;  // what it says of itself
    }
    constexpr std::string_view kReturn = "return ";
    const ConfigStatement uses = statement_of(
        text.substr(text.starts_with(kReturn) ? kReturn.size() : 0), variables);
    if (!uses.self_contained) {
      return {};
    }
    for (const std::string& name : uses.assigned) {
      if (is_variable(name)) {
        variables.insert(name.substr(1));
      }
    }
    for (const std::string& name : uses.fields) {
      if (!is_variable(name)) {
        fields.insert(name);
      }
    }
    out.push_back(text);
  }
  return out;
}

}  // namespace

bool is_computed_field(const eval::Class& cls, const std::string& name) {
  return getter_of(cls, name) != nullptr;
}

std::string write_computed_fields(
    const eval::Class& cls,
    std::set<std::string>& fields) {
  std::string out;
  std::set<std::string> done;
  for (bool found = true; found;) {
    found = false;
    for (const std::string& name : std::set<std::string>(fields)) {
      const ast::FunctionDef* getter = getter_of(cls, name);
      if (!getter || done.contains(name)) {
        continue;
      }
      done.insert(name);
      std::set<std::string> read;
      const auto body = body_of(*getter, read);
      if (body.empty()) {
        continue;
      }
      fields.erase(name);
      for (const auto& field : read) {
        if (!done.contains(field)) {
          fields.insert(field);
        }
      }
      found = true;
      out += "\n    @property\n    def " + name + "(self):\n";
      for (const std::string& text : body) {
        out += "        ";
        for (char c : text) {
          out += c;
          out += c == '\n' ? "        " : "";
        }
        out += "\n";
      }
    }
  }
  return out;
}

}  // namespace portwright::emit

#include "emit/config_text.h"

#include <optional>

#include "base/pattern.h"
#include "emit/config_class.h"
#include "eval/code.h"
#include "syntax/printer.h"

namespace portwright::emit {

using base::Symbol;
using eval::Value;
namespace ast = syntax;

bool is_word(char c) {
  return std::isalnum(static_cast<unsigned char>(c)) || c == '_';
}

bool is_name(std::string_view text) {
  return !text.empty() && std::all_of(text.begin(), text.end(), is_word);
}

namespace {

/// x = kwargs.pop("key", 4) names the field; the line goes. What is taken where
/// config.json has none is the field's default.
std::string without_pops(std::string text) {
  static const base::Pattern kTaken(
      R"re((^|\n)[ ]*(\w+) = kwargs\.(?:pop|get)\(["'](\w+)["'](?:, )re" +
      kLiteral + R"re()?\)(?=\n))re");
  while (const auto found = kTaken.search(text)) {
    const std::map<std::string, std::string> local{
        {(*found)[2], "self." + (*found)[3]}};
    text = renamed(found->before() + found->after(), local);
  }
  static const base::Pattern kAbsent(R"re(["'](\w+)["'] not in kwargs)re");
  static const base::Pattern kGiven(R"re(["'](\w+)["'] in kwargs)re");
  static const base::Pattern kValue(
      R"re(kwargs\.(?:pop|get)\(["'](\w+)["'](?:, )re" + kLiteral +
      R"re()?\))re");
  text = kAbsent.replace(text, "self.$1 is None");
  text = kGiven.replace(text, "self.$1 is not None");
  return kValue.replace(text, "self.$1");
}

/// What is put among `kwargs` for a property of the class is given to that.
std::string with_puts(const eval::Class& cls, std::string text) {
  static const base::Pattern kName(
      R"re(kwargs(?:\[|\.setdefault\()["'](\w+)["'])re");
  const auto found = kName.search(text);
  const Value* put = found ? cls.lookup(Symbol((*found)[1])) : nullptr;
  if (!put || !put->is(eval::Kind::Property)) {
    return text;
  }
  static const base::Pattern kAnnotated(R"re((^|\n)([ ]*\w+): [^\n=]+ = )re");
  text = kAnnotated.replace(text, "$1$2 = ");
  static const base::Pattern kPut(R"re(kwargs\[["'](\w+)["']\] = )re");
  static const base::Pattern kPutDefault(
      R"re((^|\n)([ ]*)kwargs\.setdefault\(["'](\w+)["'], ([^\n]*)\)(?=\n|$))re");
  text = kPut.replace(text, "self.$1 = ");
  return kPutDefault.replace(
      text, "$1$2if self.$3 is None:\n$2    self.$3 = $4");
}

/// getattr(self, "x", 3) is the field x, or 3 where the class has none and
/// takes none.
std::string with_attributes(const eval::Class& cls, std::string text) {
  static const base::Pattern kRead(
      R"re(getattr\(self, ["'](\w+)["'], ()re" + kLiteral + R"re()\))re");
  while (const auto found = kRead.search(text)) {
    const ConfigField field = config_field(cls, (*found)[1]);
    const bool known =
        !field.annotation.empty() || field.default_value.defined();
    text = found->before() + (known ? "self." + (*found)[1] : (*found)[2]) +
           found->after();
  }
  return text;
}

/// The names that the config class has for others, as fields of self.
std::map<std::string, std::string> aliases(const eval::Class& cls) {
  std::map<std::string, std::string> out;
  for (const auto& [name, field] : other_names(cls)) {
    out["self." + name] = "self." + field;
  }
  return out;
}

/// What a function of one argument answers, the argument being `argument`;
/// nothing when it is more than constants and an expression.
std::optional<std::string> answer_of(
    const ast::Stmt* definition,
    const std::string& argument) {
  if (!definition || definition->kind != ast::StmtKind::FunctionDef) {
    return {};
  }
  const auto& function = ast::as<ast::FunctionDef>(*definition);
  const std::string head = ast::print(*definition);
  static const base::Pattern kParameter(R"re(\((\w+)[:)])re");
  static const base::Pattern kConstant(R"re((\w+) = (\{[^()]*\})\s*)re");
  const auto parameter = kParameter.search(head);
  if (!parameter) {
    return {};
  }
  std::map<std::string, std::string> locals{{(*parameter)[1], argument}};
  for (const ast::Stmt* s : function.body) {
    const std::string text = ast::print(*s);
    constexpr std::string_view kReturn = "return ";
    if (text.starts_with(kReturn)) {
      std::string out = renamed(text.substr(kReturn.size()), locals);
      while (!out.empty() && out.back() == '\n') {
        out.pop_back();
      }
      return out;
    }
    if (const auto constant = kConstant.match(text)) {
      locals[(*constant)[1]] = (*constant)[2];
    } else if (!text.starts_with("\"") && !text.starts_with("'")) {
      return {};
    }
  }
  return {};
}

/// The definition of a static method.
const ast::Stmt* static_method(
    const eval::Class& cls,
    const std::string& name) {
  const Value* method = cls.lookup(Symbol(name));
  if (!method || !method->is(eval::Kind::StaticMethod)) {
    return nullptr;
  }
  const Value& function = method->get<eval::MethodWrapper>()->function;
  return function.is(eval::Kind::Function)
             ? function.get<eval::Function>()->code->syntax
             : nullptr;
}

/// The library's renaming of kinds of layers, with its table written out.
std::string with_renaming(const eval::Function& method, std::string text) {
  static const base::Pattern kCall(
      R"re(remap_legacy_layer_types\((self\.\w+)\))re");
  const Value* function =
      method.globals->attrs->find(Symbol("remap_legacy_layer_types"));
  const Value* table =
      function && function->is(eval::Kind::Function)
          ? function->get<eval::Function>()->globals->attrs->find(
                Symbol("_LEGACY_LAYER_TYPE_REMAP"))
          : nullptr;
  if (!table || !table->is(eval::Kind::Dict)) {
    return text;
  }
  std::string entries;
  for (const auto& e : table->get<eval::Dict>()->entries()) {
    if (e.key.defined() && e.key.is_str() && e.value.is_str()) {
      entries += (entries.empty() ? "\"" : ", \"") + e.key.str() + "\": \"" +
                 e.value.str() + "\"";
    }
  }
  return kCall.replace(
      text, "[{" + entries + "}.get(kind, kind) for kind in $1]");
}

/// A test says what is true without `bool`.
std::string with_plain_tests(std::string text) {
  static const base::Pattern kTest(
      R"re(\bif bool(\((?:[^()"']|(?1))*\))(?=\s+(?:else|and)\b|:))re");
  static const base::Pattern kLoose(R"re(\b(?:or|and|not|if|lambda)\b)re");
  std::string done;
  while (const auto found = kTest.search(text)) {
    const std::string inner = (*found)[1].substr(1, (*found)[1].size() - 2);
    done +=
        found->before() + (kLoose.search(inner) ? (*found)[0] : "if " + inner);
    text = found->after();
  }
  return done + text;
}

}  // namespace

std::vector<Name> names_in(const std::string& text) {
  std::vector<Name> out;
  for (size_t at = 0; at < text.size(); ++at) {
    if (text[at] == '"' || text[at] == '\'') {
      at = text.find(text[at], at + 1);
      if (at == std::string::npos) {
        break;
      }
    } else if (is_word(text[at])) {
      const size_t start = at;
      while (at < text.size() && (is_word(text[at]) || text[at] == '.')) {
        ++at;
      }
      const bool attribute = start > 0 && text[start - 1] == '.';
      if (!attribute &&
          !std::isdigit(static_cast<unsigned char>(text[start]))) {
        out.push_back({text.substr(start, at - start), at});
      }
      --at;
    }
  }
  return out;
}

std::string renamed(
    std::string text,
    const std::map<std::string, std::string>& names) {
  const auto found = names_in(text);
  for (auto name = found.rbegin(); name != found.rend(); ++name) {
    if (const auto it = names.find(name->text); it != names.end()) {
      const size_t size = name->text.size();
      text.replace(name->end - size, size, it->second);
    }
  }
  return text;
}

std::string in_fields(
    const eval::Class& cls,
    const eval::Function& method,
    std::string text) {
  text = renamed(without_pops(std::move(text)), aliases(cls));
  text = with_renaming(method, std::move(text));
  text = with_puts(cls, with_attributes(cls, std::move(text)));
  text = with_plain_tests(std::move(text));
  static const base::Pattern kSequence(
      R"re((isinstance\(self\.\w+, )Sequence\))re");
  text = kSequence.replace(text, "$1(list, tuple))");
  static const base::Pattern kLogged(R"re(\n[ ]*logger\.[^\n]*(?=\n))re");
  text = kLogged.replace(text, "");
  static const base::Pattern kCall(R"re(self\.(\w+)\((self\.\w+)\))re");
  std::string done;
  while (const auto found = kCall.search(text)) {
    const auto answer = answer_of(static_method(cls, (*found)[1]), (*found)[2]);
    done += found->before() + answer.value_or((*found)[0]);
    text = found->after();
  }
  return done + text;
}

}  // namespace portwright::emit

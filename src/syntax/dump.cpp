#include "syntax/dump.h"

#include <fmt/format.h>

#include "syntax/dump_impl.h"
#include "syntax/python_repr.h"

namespace portwright::syntax {

void Dumper::module(const Tree& tree) {
  open("Module");
  field("body", tree.body);
  key("type_ignores");
  out_ += "[]";
  close();
}

void Dumper::close(const Span& span) {
  if (options_.attributes && (fstrings_ == 0 || options_.fstring_attributes)) {
    const auto begin = span.file->position(span.begin);
    const auto end = span.file->position(span.end);
    fmt::format_to(
        std::back_inserter(out_),
        "{}lineno={}, col_offset={}, end_lineno={}, end_col_offset={}",
        first_ ? "" : ", ",
        begin.line,
        begin.column,
        end.line,
        end.column);
  }
  close();
}

void Dumper::field(std::string_view name, const Expr* value) {
  if (value != nullptr) {
    key(name);
    one(value);
  }
}

void Dumper::field(std::string_view name, const Pattern* value) {
  if (value != nullptr) {
    key(name);
    one(value);
  }
}

void Dumper::field(std::string_view name, Symbol value) {
  if (value) {
    key(name);
    append_str_repr(out_, value.str());
  }
}

void Dumper::field(std::string_view name, const Arg* value) {
  if (value != nullptr) {
    key(name);
    one(value);
  }
}

void Dumper::field(std::string_view name, int value) {
  key(name);
  out_ += std::to_string(value);
}

void Dumper::field(std::string_view name, ExprContext value) {
  constexpr std::string_view kNames[] = {"Load()", "Store()", "Del()"};
  key(name);
  out_ += kNames[static_cast<int>(value)];
}

void Dumper::field(std::string_view name, BinaryOperator value) {
  constexpr std::string_view kNames[] = {
      "Add()",
      "Sub()",
      "Mult()",
      "MatMult()",
      "Div()",
      "Mod()",
      "Pow()",
      "LShift()",
      "RShift()",
      "BitOr()",
      "BitXor()",
      "BitAnd()",
      "FloorDiv()"};
  key(name);
  out_ += kNames[static_cast<int>(value)];
}

void Dumper::field(std::string_view name, const Arguments* value) {
  key(name);
  open("arguments");
  field("posonlyargs", value->posonlyargs);
  field("args", value->args);
  field("vararg", value->vararg);
  field("kwonlyargs", value->kwonlyargs);
  field("kw_defaults", value->kw_defaults);
  field("kwarg", value->kwarg);
  field("defaults", value->defaults);
  close();
}

void Dumper::one(const Expr* expr) {
  if (expr == nullptr) {
    out_ += "None";
  } else {
    expression(*expr);
  }
}

void Dumper::one(const Stmt* stmt) {
  statement(*stmt);
}

void Dumper::one(const Arg* arg) {
  open("arg");
  field("arg", arg->name);
  field("annotation", arg->annotation);
  close(arg->span);
}

void Dumper::one(const Keyword& keyword) {
  open("keyword");
  field("arg", keyword.arg);
  field("value", keyword.value);
  close(keyword.span);
}

void Dumper::one(const Comprehension& comprehension) {
  open("comprehension");
  field("target", comprehension.target);
  field("iter", comprehension.iter);
  field("ifs", comprehension.ifs);
  field("is_async", comprehension.is_async ? 1 : 0);
  close();
}

void Dumper::one(const Alias& alias) {
  open("alias");
  field("name", alias.name);
  field("asname", alias.asname);
  close(alias.span);
}

void Dumper::one(const WithItem& item) {
  open("withitem");
  field("context_expr", item.context_expr);
  field("optional_vars", item.optional_vars);
  close();
}

void Dumper::one(const ExceptHandler& handler) {
  open("ExceptHandler");
  field("type", handler.type);
  field("name", handler.name);
  field("body", handler.body);
  close(handler.span);
}

void Dumper::one(const MatchCase& match_case) {
  open("match_case");
  field("pattern", match_case.pattern);
  field("guard", match_case.guard);
  field("body", match_case.body);
  close();
}

void Dumper::one(const TypeParam& param) {
  constexpr std::string_view kNames[] = {
      "TypeVar", "ParamSpec", "TypeVarTuple"};
  open(kNames[static_cast<int>(param.kind)]);
  field("name", param.name);
  field("bound", param.bound);
  field("default_value", param.default_value);
  close(param.span);
}

void Dumper::one(CompareOperator op) {
  constexpr std::string_view kNames[] = {
      "Eq()",
      "NotEq()",
      "Lt()",
      "LtE()",
      "Gt()",
      "GtE()",
      "Is()",
      "IsNot()",
      "In()",
      "NotIn()"};
  out_ += kNames[static_cast<int>(op)];
}

void Dumper::one(Symbol name) {
  append_str_repr(out_, name.str());
}

void Dumper::one(const Pattern* pattern) {
  switch (pattern->kind) {
    case PatternKind::MatchValue:
      open("MatchValue");
      field("value", as<MatchValue>(*pattern).value);
      break;
    case PatternKind::MatchSingleton: {
      constexpr std::string_view kValues[] = {"None", "True", "False"};
      open("MatchSingleton");
      key("value");
      out_ += kValues[static_cast<int>(as<MatchSingleton>(*pattern).value)];
      break;
    }
    case PatternKind::MatchSequence:
    case PatternKind::MatchOr:
      open(pattern->kind == PatternKind::MatchOr ? "MatchOr" : "MatchSequence");
      field("patterns", as<MatchSequence>(*pattern).patterns);
      break;
    case PatternKind::MatchMapping: {
      const auto& p = as<MatchMapping>(*pattern);
      open("MatchMapping");
      field("keys", p.keys);
      field("patterns", p.patterns);
      field("rest", p.rest);
      break;
    }
    case PatternKind::MatchClass: {
      const auto& p = as<MatchClass>(*pattern);
      open("MatchClass");
      field("cls", p.cls);
      field("patterns", p.patterns);
      field("kwd_attrs", p.kwd_attrs);
      field("kwd_patterns", p.kwd_patterns);
      break;
    }
    case PatternKind::MatchStar:
      open("MatchStar");
      field("name", as<MatchStar>(*pattern).name);
      break;
    case PatternKind::MatchAs: {
      const auto& p = as<MatchAs>(*pattern);
      open("MatchAs");
      field("pattern", p.pattern);
      field("name", p.name);
      break;
    }
  }
  close(pattern->span);
}

std::string dump(const Tree& tree, const DumpOptions& options) {
  Dumper dumper(options);
  dumper.module(tree);
  return dumper.take();
}

std::string dump(const Tree& tree, bool attributes) {
  return dump(tree, DumpOptions{attributes, true});
}

}  // namespace portwright::syntax

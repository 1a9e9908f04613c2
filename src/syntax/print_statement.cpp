#include "syntax/printer_impl.h"

namespace portwright::syntax {

namespace {

constexpr std::string_view kAugmented[] = {
    " += ",
    " -= ",
    " *= ",
    " @= ",
    " /= ",
    " %= ",
    " **= ",
    " <<= ",
    " >>= ",
    " |= ",
    " ^= ",
    " &= ",
    " //= "};

bool is_definition(const Stmt& stmt) {
  return stmt.kind == StmtKind::FunctionDef ||
         stmt.kind == StmtKind::AsyncFunctionDef ||
         stmt.kind == StmtKind::ClassDef;
}

}  // namespace

// Begins a line at the present indentation.
void Printer::line(std::string_view text) {
  if (!out_.empty()) {
    out_ += '\n';
  }
  for (int i = 0; i < depth_; ++i) {
    out_ += kIndent;
  }
  out_ += text;
}

void Printer::statements(Stmts body) {
  bool first = true;
  for (const Stmt* stmt : body) {
    if (!first && is_definition(*stmt)) {
      out_ += '\n';
    }
    first = false;
    line();
    statement(*stmt);
  }
}

void Printer::block(Stmts body) {
  ++depth_;
  if (body.empty()) {
    line("pass");
  }
  statements(body);
  --depth_;
}

void Printer::clause(std::string_view head, Stmts body) {
  if (!body.empty()) {
    line(head);
    block(body);
  }
}

void Printer::statement(const Stmt& stmt) {
  decorators(stmt);
  header(stmt);
  compound(stmt);
}

void Printer::decorators(const Stmt& stmt) {
  if (!is_definition(stmt)) {
    return;
  }
  const Exprs list = stmt.kind == StmtKind::ClassDef
                         ? as<ClassDef>(stmt).decorator_list
                         : as<FunctionDef>(stmt).decorator_list;
  for (const Expr* decorator : list) {
    write("@");
    expression(*decorator, Level::Named);
    line();
  }
}

void Printer::header(const Stmt& stmt) {
  switch (stmt.kind) {
    case StmtKind::FunctionDef:
    case StmtKind::AsyncFunctionDef:
    case StmtKind::ClassDef:
      return definition_header(stmt);
    case StmtKind::If:
    case StmtKind::While:
      write(stmt.kind == StmtKind::If ? "if " : "while ");
      expression(*as<Conditional>(stmt).test, Level::Named);
      return write(":");
    case StmtKind::For:
    case StmtKind::AsyncFor:
      write(stmt.kind == StmtKind::For ? "for " : "async for ");
      expression(*as<For>(stmt).target);
      write(" in ");
      // A yield needs its parentheses, a tuple does not.
      expression(
          *as<For>(stmt).iter,
          as<For>(stmt).iter->kind == ExprKind::Tuple ? Level::Any
                                                      : Level::Test);
      return write(":");
    case StmtKind::With:
    case StmtKind::AsyncWith:
      return with_header(as<With>(stmt));
    case StmtKind::Try:
    case StmtKind::TryStar:
      return write("try:");
    case StmtKind::Match: {
      const Expr& subject = *as<Match>(stmt).subject;
      write("match ");
      expression(
          subject, subject.kind == ExprKind::Tuple ? Level::Any : Level::Named);
      return write(":");
    }
    default:
      return simple(stmt);
  }
}

void Printer::definition_header(const Stmt& stmt) {
  if (stmt.kind == StmtKind::ClassDef) {
    const auto& s = as<ClassDef>(stmt);
    write("class ");
    write(s.name);
    type_params(s.type_params);
    if (!s.bases.empty() || !s.keywords.empty()) {
      write("(");
      arguments(s.bases, s.keywords);
      write(")");
    }
    return write(":");
  }
  const auto& s = as<FunctionDef>(stmt);
  write(stmt.kind == StmtKind::FunctionDef ? "def " : "async def ");
  write(s.name);
  type_params(s.type_params);
  write("(");
  parameters(*s.args);
  write(")");
  if (s.returns != nullptr) {
    write(" -> ");
    expression(*s.returns, Level::Test);
  }
  write(":");
}

void Printer::with_header(const With& with) {
  write(with.kind == StmtKind::With ? "with " : "async with ");
  // `with (a, b):` would be two items.
  const bool wrap = with.items.size() == 1 &&
                    with.items[0].context_expr->kind == ExprKind::Tuple &&
                    with.items[0].optional_vars == nullptr;
  write(wrap ? "(" : "");
  list(with.items, [&](const WithItem& item) {
    expression(*item.context_expr, Level::Test);
    if (item.optional_vars != nullptr) {
      write(" as ");
      expression(*item.optional_vars, Level::Test);
    }
  });
  write(wrap ? "):" : ":");
}

void Printer::type_params(Seq<TypeParam> params) {
  if (params.empty()) {
    return;
  }
  write("[");
  list(params, [&](const TypeParam& param) {
    write(
        param.kind == TypeParamKind::TypeVar        ? ""
        : param.kind == TypeParamKind::TypeVarTuple ? "*"
                                                    : "**");
    write(param.name);
    if (param.bound != nullptr) {
      write(": ");
      expression(*param.bound, Level::Test);
    }
    if (param.default_value != nullptr) {
      write(" = ");
      expression(*param.default_value, Level::Test);
    }
  });
  write("]");
}

void Printer::compound(const Stmt& stmt) {
  switch (stmt.kind) {
    case StmtKind::FunctionDef:
    case StmtKind::AsyncFunctionDef:
      return block(as<FunctionDef>(stmt).body);
    case StmtKind::ClassDef:
      return block(as<ClassDef>(stmt).body);
    case StmtKind::If:
      return if_rest(as<Conditional>(stmt));
    case StmtKind::While:
      block(as<Conditional>(stmt).body);
      return clause("else:", as<Conditional>(stmt).orelse);
    case StmtKind::For:
    case StmtKind::AsyncFor:
      block(as<For>(stmt).body);
      return clause("else:", as<For>(stmt).orelse);
    case StmtKind::With:
    case StmtKind::AsyncWith:
      return block(as<With>(stmt).body);
    case StmtKind::Try:
    case StmtKind::TryStar:
      return try_rest(as<Try>(stmt));
    case StmtKind::Match:
      return match_rest(as<Match>(stmt));
    default:
      return;
  }
}

void Printer::if_rest(const Conditional& stmt) {
  block(stmt.body);
  const Conditional* last = &stmt;
  while (last->orelse.size() == 1 && last->orelse[0]->kind == StmtKind::If) {
    last = static_cast<const Conditional*>(last->orelse[0]);
    line("elif ");
    expression(*last->test, Level::Named);
    write(":");
    block(last->body);
  }
  clause("else:", last->orelse);
}

void Printer::try_rest(const Try& stmt) {
  block(stmt.body);
  for (const ExceptHandler& handler : stmt.handlers) {
    line(stmt.kind == StmtKind::TryStar ? "except*" : "except");
    if (handler.type != nullptr) {
      write(" ");
      expression(*handler.type, Level::Test);
    }
    if (handler.name) {
      write(" as ");
      write(handler.name);
    }
    write(":");
    block(handler.body);
  }
  clause("else:", stmt.orelse);
  clause("finally:", stmt.finalbody);
}

void Printer::simple(const Stmt& stmt) {
  switch (stmt.kind) {
    case StmtKind::Pass:
      return write("pass");
    case StmtKind::Break:
      return write("break");
    case StmtKind::Continue:
      return write("continue");
    case StmtKind::Return:
      write("return");
      if (as<Return>(stmt).value != nullptr) {
        write(" ");
        const Expr& value = *as<Return>(stmt).value;
        expression(
            value, value.kind == ExprKind::Tuple ? Level::Any : Level::Test);
      }
      return;
    case StmtKind::Delete:
      write("del ");
      return list(as<Delete>(stmt).targets, [&](const Expr* target) {
        expression(*target, Level::Test);
      });
    case StmtKind::Raise:
      write("raise");
      if (as<Raise>(stmt).exc != nullptr) {
        write(" ");
        expression(*as<Raise>(stmt).exc, Level::Test);
      }
      if (as<Raise>(stmt).cause != nullptr) {
        write(" from ");
        expression(*as<Raise>(stmt).cause, Level::Test);
      }
      return;
    case StmtKind::Assert:
      write("assert ");
      expression(*as<Assert>(stmt).test, Level::Test);
      if (as<Assert>(stmt).msg != nullptr) {
        write(", ");
        expression(*as<Assert>(stmt).msg, Level::Test);
      }
      return;
    case StmtKind::Import:
      write("import ");
      return names(as<Import>(stmt).names);
    case StmtKind::ImportFrom:
      write("from ");
      out_.append(as<ImportFrom>(stmt).level, '.');
      if (as<ImportFrom>(stmt).module) {
        write(as<ImportFrom>(stmt).module);
      }
      write(" import ");
      return names(as<ImportFrom>(stmt).names);
    case StmtKind::Global:
    case StmtKind::Nonlocal:
      write(stmt.kind == StmtKind::Global ? "global " : "nonlocal ");
      return list(as<ScopeDecl>(stmt).names, [&](Symbol name) { write(name); });
    case StmtKind::Expr: {
      const Expr& value = *as<ExprStmt>(stmt).value;
      if (!docstring(value)) {
        expression(
            value,
            value.kind == ExprKind::NamedExpr ? Level::Test : Level::Any);
      }
      return;
    }
    default:
      return assignment(stmt);
  }
}

void Printer::names(Seq<Alias> aliases) {
  list(aliases, [&](const Alias& alias) {
    write(alias.name);
    if (alias.asname) {
      write(" as ");
      write(alias.asname);
    }
  });
}

void Printer::assignment(const Stmt& stmt) {
  // A value may be a tuple or a yield, but no walrus.
  const auto value = [&](const Expr& expr) {
    expression(
        expr, expr.kind == ExprKind::NamedExpr ? Level::Test : Level::Any);
  };
  switch (stmt.kind) {
    case StmtKind::Assign:
      for (const Expr* target : as<Assign>(stmt).targets) {
        expression(*target);
        write(" = ");
      }
      return value(*as<Assign>(stmt).value);
    case StmtKind::AugAssign:
      expression(*as<AugAssign>(stmt).target, Level::Atom);
      write(kAugmented[static_cast<int>(as<AugAssign>(stmt).op)]);
      return value(*as<AugAssign>(stmt).value);
    case StmtKind::AnnAssign: {
      const auto& s = as<AnnAssign>(stmt);
      const bool wrap = !s.simple && s.target->kind == ExprKind::Name;
      write(wrap ? "(" : "");
      expression(*s.target, Level::Atom);
      write(wrap ? "): " : ": ");
      expression(*s.annotation, Level::Test);
      if (s.value != nullptr) {
        write(" = ");
        value(*s.value);
      }
      return;
    }
    case StmtKind::TypeAlias:
      write("type ");
      expression(*as<TypeAlias>(stmt).name);
      type_params(as<TypeAlias>(stmt).type_params);
      write(" = ");
      return expression(*as<TypeAlias>(stmt).value, Level::Test);
    default:
      return;
  }
}

}  // namespace portwright::syntax

#include "syntax/dump_impl.h"

namespace portwright::syntax {

namespace {

constexpr std::string_view kStmtNames[] = {"FunctionDef", "AsyncFunctionDef",
                                           "ClassDef",    "Return",
                                           "Delete",      "Assign",
                                           "TypeAlias",   "AugAssign",
                                           "AnnAssign",   "For",
                                           "AsyncFor",    "While",
                                           "If",          "With",
                                           "AsyncWith",   "Match",
                                           "Raise",       "Try",
                                           "TryStar",     "Assert",
                                           "Import",      "ImportFrom",
                                           "Global",      "Nonlocal",
                                           "Expr",        "Pass",
                                           "Break",       "Continue"};

}  // namespace

void Dumper::statement(const Stmt& stmt) {
  open(kStmtNames[static_cast<int>(stmt.kind)]);
  switch (stmt.kind) {
    case StmtKind::Return:
      field("value", as<Return>(stmt).value);
      break;
    case StmtKind::Delete:
      field("targets", as<Delete>(stmt).targets);
      break;
    case StmtKind::Assign:
      field("targets", as<Assign>(stmt).targets);
      field("value", as<Assign>(stmt).value);
      break;
    case StmtKind::TypeAlias:
      field("name", as<TypeAlias>(stmt).name);
      type_params(as<TypeAlias>(stmt).type_params);
      field("value", as<TypeAlias>(stmt).value);
      break;
    case StmtKind::AugAssign:
      field("target", as<AugAssign>(stmt).target);
      field("op", as<AugAssign>(stmt).op);
      field("value", as<AugAssign>(stmt).value);
      break;
    case StmtKind::AnnAssign:
      field("target", as<AnnAssign>(stmt).target);
      field("annotation", as<AnnAssign>(stmt).annotation);
      field("value", as<AnnAssign>(stmt).value);
      field("simple", as<AnnAssign>(stmt).simple ? 1 : 0);
      break;
    case StmtKind::Raise:
      field("exc", as<Raise>(stmt).exc);
      field("cause", as<Raise>(stmt).cause);
      break;
    case StmtKind::Assert:
      field("test", as<Assert>(stmt).test);
      field("msg", as<Assert>(stmt).msg);
      break;
    case StmtKind::Import:
      field("names", as<Import>(stmt).names);
      break;
    case StmtKind::ImportFrom:
      field("module", as<ImportFrom>(stmt).module);
      field("names", as<ImportFrom>(stmt).names);
      field("level", as<ImportFrom>(stmt).level);
      break;
    case StmtKind::Global:
    case StmtKind::Nonlocal:
      field("names", as<ScopeDecl>(stmt).names);
      break;
    case StmtKind::Expr:
      field("value", as<ExprStmt>(stmt).value);
      break;
    case StmtKind::Pass:
    case StmtKind::Break:
    case StmtKind::Continue:
      break;
    default:
      compound_statement(stmt);
      break;
  }
  close(stmt.span);
}

void Dumper::compound_statement(const Stmt& stmt) {
  switch (stmt.kind) {
    case StmtKind::For:
    case StmtKind::AsyncFor:
      field("target", as<For>(stmt).target);
      field("iter", as<For>(stmt).iter);
      field("body", as<For>(stmt).body);
      field("orelse", as<For>(stmt).orelse);
      break;
    case StmtKind::While:
    case StmtKind::If:
      field("test", as<Conditional>(stmt).test);
      field("body", as<Conditional>(stmt).body);
      field("orelse", as<Conditional>(stmt).orelse);
      break;
    case StmtKind::With:
    case StmtKind::AsyncWith:
      field("items", as<With>(stmt).items);
      field("body", as<With>(stmt).body);
      break;
    case StmtKind::Match:
      field("subject", as<Match>(stmt).subject);
      field("cases", as<Match>(stmt).cases);
      break;
    case StmtKind::Try:
    case StmtKind::TryStar:
      field("body", as<Try>(stmt).body);
      field("handlers", as<Try>(stmt).handlers);
      field("orelse", as<Try>(stmt).orelse);
      field("finalbody", as<Try>(stmt).finalbody);
      break;
    default:
      definition(stmt);
      break;
  }
}

void Dumper::definition(const Stmt& stmt) {
  if (stmt.kind == StmtKind::ClassDef) {
    const auto& s = as<ClassDef>(stmt);
    field("name", s.name);
    field("bases", s.bases);
    field("keywords", s.keywords);
    field("body", s.body);
    field("decorator_list", s.decorator_list);
    type_params(s.type_params);
  } else {
    const auto& s = as<FunctionDef>(stmt);
    field("name", s.name);
    field("args", s.args);
    field("body", s.body);
    field("decorator_list", s.decorator_list);
    field("returns", s.returns);
    type_params(s.type_params);
  }
}

}  // namespace portwright::syntax

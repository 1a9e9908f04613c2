#pragma once

#include <memory>

#include "eval/code.h"
#include "eval/scope.h"
#include "eval/walk.h"
#include "syntax/ast.h"

namespace portwright::eval {

/// Compiles syntax to code trees. One per module; files by theme implement it.
class Compiler {
 public:
  Compiler(Interpreter& interp, std::string module_name, bool is_package)
      : interp_(interp),
        module_name_(std::move(module_name)),
        is_package_(is_package) {}

  std::shared_ptr<FunctionCode> module(const syntax::Tree& tree);

 private:
  friend class ScopeGuard;

  // compile_expressions.cpp
  ExprPtr expr(const syntax::Expr& e);
  ExprPtr optional(const syntax::Expr* e);
  std::vector<ExprPtr> exprs(syntax::Exprs list);
  ExprPtr constant(const syntax::Constant& e);
  ExprPtr dict(const syntax::Dict& e);
  ExprPtr joined(const syntax::JoinedStr& e);
  ExprPtr slice(const syntax::Slice& e);

  // compile_operators.cpp
  ExprPtr bool_op(const syntax::BoolOp& e);
  ExprPtr binary(const syntax::BinOp& e);
  ExprPtr unary(const syntax::UnaryOp& e);
  ExprPtr compare(const syntax::Compare& e);
  ExprPtr conditional(const syntax::IfExp& e);
  StmtPtr augmented(const syntax::AugAssign& s);

  // compile_names.cpp
  ExprPtr load(Symbol name, base::Span span);
  TargetPtr store(Symbol name);
  TargetPtr target(const syntax::Expr& e);
  StmtPtr remove(const syntax::Expr& target);

  // compile_calls.cpp
  ExprPtr call(const syntax::Call& e);
  ExprPtr zero_argument_super(const syntax::Call& e);

  // compile_comprehensions.cpp
  ExprPtr comprehension(const syntax::Expr& e);

  // compile_definitions.cpp
  StmtPtr function(const syntax::FunctionDef& s);
  void function_body(Scope& scope, const syntax::FunctionDef& s);
  StmtPtr class_def(const syntax::ClassDef& s);
  ExprPtr lambda(const syntax::Lambda& e);
  void parameters(Scope& scope, const syntax::Arguments& args);
  std::vector<ExprPtr> defaults(const syntax::Arguments& args);

  // compile_statements.cpp
  Block block(syntax::Stmts body);
  StmtPtr stmt(const syntax::Stmt& s);
  StmtPtr assign(const syntax::Assign& s);
  StmtPtr annotated(const syntax::AnnAssign& s);
  StmtPtr for_loop(const syntax::For& s);

  // compile_control.cpp
  StmtPtr with(const syntax::With& s);
  StmtPtr try_stmt(const syntax::Try& s);
  StmtPtr raise(const syntax::Raise& s);
  StmtPtr assertion(const syntax::Assert& s);

  // compile_imports.cpp
  StmtPtr import(const syntax::Import& s);
  StmtPtr import_from(const syntax::ImportFrom& s);

  // compile_match.cpp
  StmtPtr match(const syntax::Match& s);

  [[noreturn]] void unsupported(base::Span span, std::string what);

  Interpreter& interp_;
  std::string module_name_;
  bool is_package_;
  Scope* scope_ = nullptr;
};

/// Enters a scope for the time of its life.
class ScopeGuard {
 public:
  ScopeGuard(Compiler& compiler, Scope& scope)
      : compiler_(compiler), outer_(compiler.scope_) {
    compiler.scope_ = &scope;
  }
  ~ScopeGuard() {
    compiler_.scope_ = outer_;
  }

 private:
  Compiler& compiler_;
  Scope* outer_;
};

// ---- shared by the files of the compiler ----

std::string_view spelling(syntax::BinaryOperator op);
std::string_view spelling(syntax::CompareOperator op);
std::string_view spelling(syntax::UnaryOperator op);

/// A slot's value, through its cell if it is captured.
inline const Value& slot_value(const Value& slot) {
  return slot.is(Kind::Cell) ? slot.get<Cell>()->value : slot;
}
inline void set_slot(Value& slot, Value value) {
  if (slot.is(Kind::Cell)) {
    slot.get<Cell>()->value = std::move(value);
  } else {
    slot = std::move(value);
  }
}

}  // namespace portwright::eval

#pragma once

#include "syntax/ast.h"

namespace portwright::eval {

/// Visits the statements and expressions of one scope: bodies of nested
/// functions, lambdas and classes are not entered (their decorators, defaults
/// and bases are).
class Walk {
 public:
  virtual ~Walk() = default;
  void walk(syntax::Stmts body);
  void walk(const syntax::Expr* e);

 protected:
  virtual void on_stmt(const syntax::Stmt&) {}
  virtual void on_expr(const syntax::Expr&) {}
  virtual void on_pattern(base::Symbol /*captured*/) {}
  /// How many comprehensions surround the node being visited.
  int comprehension_depth() const {
    return comprehensions_;
  }

 private:
  void walk_stmt(const syntax::Stmt& s);
  void walk_all(syntax::Exprs exprs);
  void walk_generators(syntax::Seq<syntax::Comprehension> generators);
  void walk_arguments(const syntax::Arguments& args);
  void walk_pattern(const syntax::Pattern* p);
  int comprehensions_ = 0;
};

}  // namespace portwright::eval

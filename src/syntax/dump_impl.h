#pragma once

#include <string>
#include <string_view>

#include "syntax/ast.h"
#include "syntax/dump.h"

namespace portwright::syntax {

/// Writes nodes the way ast.dump does. Split over dump_expression.cpp,
/// dump_statement.cpp and dump.cpp (the rest).
class Dumper {
 public:
  explicit Dumper(const DumpOptions& options) : options_(options) {}

  void module(const Tree& tree);
  std::string take() {
    return std::move(out_);
  }

 private:
  void open(std::string_view name) {
    out_ += name;
    out_ += '(';
    first_ = true;
  }
  void close() {
    out_ += ')';
    first_ = false;
  }
  /// As close, with the attributes of a node.
  void close(const Span& span);
  void key(std::string_view name) {
    if (!first_) {
      out_ += ", ";
    }
    first_ = false;
    out_ += name;
    out_ += '=';
  }

  // A field of each type; null fields are left out.
  void field(std::string_view name, const Expr* value);
  void field(std::string_view name, const Pattern* value);
  void field(std::string_view name, Symbol value);
  void field(std::string_view name, const Arg* value);
  void field(std::string_view name, const Arguments* value);
  void field(std::string_view name, ExprContext value);
  void field(std::string_view name, BinaryOperator value);
  void field(std::string_view name, int value);
  template <typename T>
  void field(std::string_view name, Seq<T> items) {
    key(name);
    out_ += '[';
    bool first = true;
    for (const T& item : items) {
      if (!first) {
        out_ += ", ";
      }
      first = false;
      one(item);
    }
    out_ += ']';
    first_ = false;
  }
  void type_params(Seq<TypeParam> params) {
    if (!params.empty()) {
      field("type_params", params);
    }
  }

  // An element of a list of each type.
  void one(const Expr* expr);
  void one(const Stmt* stmt);
  void one(const Pattern* pattern);
  void one(const Arg* arg);
  void one(const Keyword& keyword);
  void one(const Comprehension& comprehension);
  void one(const Alias& alias);
  void one(const WithItem& item);
  void one(const ExceptHandler& handler);
  void one(const MatchCase& match_case);
  void one(const TypeParam& param);
  void one(CompareOperator op);
  void one(Symbol name);

  void expression(const Expr& expr);
  void compound_expression(const Expr& expr);
  void string_part(const Expr& expr);
  void constant(const Constant& constant);
  void statement(const Stmt& stmt);
  void compound_statement(const Stmt& stmt);
  void definition(const Stmt& stmt);

  DumpOptions options_;
  std::string out_;
  bool first_ = true;
  int fstrings_ = 0;
};

}  // namespace portwright::syntax

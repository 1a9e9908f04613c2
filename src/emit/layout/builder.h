#pragma once

#include "emit/layout/build.h"
#include "syntax/lexer.h"

namespace portwright::emit::printing {

/// Walks the AST in source order beside its tokens; each method takes the
/// tokens of its construct. Split by theme over the build_*.cpp files.
class Builder {
 public:
  explicit Builder(const syntax::Tree& parsed);
  base::Result<Module> run();

 private:
  using TK = syntax::TokenKind;
  using Nodes = std::vector<Node*>;
  struct Unserved {
    base::Span span;
  };

  // ---- tokens ----
  const syntax::Token& token() const {
    return lexed_.tokens[at_];
  }
  bool at(TK kind) const {
    return token().kind == kind;
  }
  Node* take();
  /// Takes the token where it is of that kind.
  bool accept(TK kind, Nodes& out);
  Node* newline();
  uint32_t line(uint32_t offset) const {
    return source_.position(offset).line;
  }
  uint32_t column(uint32_t offset) const {
    return source_.position(offset).column;
  }
  void collect_comments(Node* leaf, uint32_t until, uint32_t least_column);
  void match_brackets();
  /// Whether the span is that of one pair of brackets.
  bool bracketed(const base::Span& span) const;

  // ---- build_statement.cpp ----
  void statements(syntax::Stmts body, Nodes& out);
  Node* simple_line(syntax::Stmts body, size_t& next);
  Node* small(const syntax::Stmt& stmt);
  Node* compound(const syntax::Stmt& stmt);
  Node* decorated(
      syntax::Exprs decorators,
      Node* (Builder::*what)(const syntax::Stmt&),
      const syntax::Stmt& stmt);
  Node* async(
      Node* (Builder::*what)(const syntax::Stmt&),
      const syntax::Stmt& stmt);
  Node* function(const syntax::Stmt& stmt);
  Node* class_definition(const syntax::Stmt& stmt);
  Node* if_statement(const syntax::Stmt& stmt);
  Node* while_statement(const syntax::Stmt& stmt);
  Node* for_statement(const syntax::Stmt& stmt);
  Node* with_statement(const syntax::Stmt& stmt);
  Node* try_statement(const syntax::Stmt& stmt);
  Node* with_item(const syntax::WithItem& item);
  void block(syntax::Stmts body, Nodes& out);
  void else_block(syntax::Stmts body, Nodes& out);
  Node* suite(syntax::Stmts body);
  Node* import_name();
  Node* import_from();
  Node* dotted_name();
  Node* names_until_newline(Kind kind);

  // ---- build_expression.cpp ----
  Node* expr(const syntax::Expr& e, Kind tuple = Kind::ImplicitTuple);
  Node* bare(const syntax::Expr& e, Kind tuple);
  void primary(const syntax::Expr& e, Nodes& out);
  void operand(const syntax::Expr& e, Nodes& out);
  Node* call(const syntax::Call& call);
  void arguments(
      syntax::Exprs args,
      syntax::Seq<syntax::Keyword> keywords,
      TK close,
      Nodes& out);
  Node* subscript(const syntax::Expr& index);
  Node* slice_item(const syntax::Expr& e);
  Node* power(const syntax::BinOp& e);
  Node* binary(const syntax::BinOp& e);
  void binary_chain(const syntax::BinOp& e, Kind kind, Nodes& out);
  Node* comparison(const syntax::Compare& e);
  Node* strings(const syntax::Expr& e);
  Node* yield(const syntax::Expr& e);

  // ---- build_display.cpp ----
  Node* tuple(const syntax::Sequence& e, Kind kind);
  Node* items(syntax::Exprs elts, Kind kind);
  Node* dict(const syntax::Dict& e);
  Node* element_comprehension(const syntax::ElementComp& e, Kind items);
  Node* dict_comprehension(const syntax::DictComp& e);
  Node* comprehensions(
      syntax::Seq<syntax::Comprehension> generators,
      size_t from,
      Kind kind);

  // ---- build_parameters.cpp ----
  Node* lambda(const syntax::Lambda& e);
  Node* parameters(const syntax::Arguments& args, Kind kind, TK close);
  void parameter(const syntax::Arg& arg, bool starred, Nodes& out);

  const base::SourceFile& source_;
  const syntax::Tree& parsed_;
  std::unique_ptr<Tree> tree_ = std::make_unique<Tree>();
  syntax::LexResult lexed_;
  std::vector<uint32_t> match_;  // of brackets: the index of the other one
  size_t at_ = 0;
  size_t comment_ = 0;
  uint32_t last_line_ = 0;  // of the last token or comment
};

}  // namespace portwright::emit::printing

#include <fmt/format.h>

#include "syntax/parser_impl.h"

namespace portwright::syntax {

// ('@' named_expression NEWLINE)+ (class | function)
Stmt* Parser::decorated() {
  Children<Expr*> decorators(exprs_);
  while (accept(TK::At)) {
    decorators.push(named_expression());
    if (!end_line()) {
      unexpected();
    }
  }
  const Exprs list = decorators.take(*arena_);
  switch (kind()) {
    case TK::KwDef:
      return function(begin(), StmtKind::FunctionDef, list);
    case TK::KwClass:
      return class_definition(list);
    case TK::KwAsync:
      if (kind(1) == TK::KwDef) {
        return async_statement(list);
      }
      break;
    default:
      break;
  }
  fail_here("expected a class or function definition after a decorator");
}

// 'async' (function | for | with)
Stmt* Parser::async_statement(Exprs decorators) {
  const uint32_t start = begin();
  next();
  switch (kind()) {
    case TK::KwDef:
      return function(start, StmtKind::AsyncFunctionDef, decorators);
    case TK::KwFor:
      return for_statement(start, StmtKind::AsyncFor);
    case TK::KwWith:
      return with_statement(start, StmtKind::AsyncWith);
    default:
      fail_here("expected 'def', 'for' or 'with' after 'async'");
  }
}

// 'def' NAME type_parameters? '(' parameters ')' ('->' expression)? ':' block
Stmt* Parser::function(uint32_t start, StmtKind kind, Exprs decorators) {
  const Token& head = next();
  const Symbol name = expect_name("a function name");
  const Seq<TypeParam> type_params = type_parameters();
  const Token& open = *at_;
  expect(TK::LeftParen);
  Arguments* args = parameters(TK::RightParen, true);
  expect_close(TK::RightParen, open);
  Expr* returns = accept(TK::Arrow) ? expression() : nullptr;
  colon();
  const Stmts body = block("function definition", head);
  return make<FunctionDef>(
      kind, start, name, args, body, decorators, returns, type_params);
}

// 'class' NAME type_parameters? ('(' arguments? ')')? ':' block
Stmt* Parser::class_definition(Exprs decorators) {
  const Token& head = next();
  const Symbol name = expect_name("a class name");
  const Seq<TypeParam> type_params = type_parameters();
  Exprs bases;
  Seq<Keyword> named;
  if (at(TK::LeftParen)) {
    const Token& open = next();
    Children<Expr*> args(exprs_);
    Children<Keyword> keywords(keywords_);
    call_arguments(args, keywords);
    expect_close(TK::RightParen, open);
    bases = args.take(*arena_);
    named = keywords.take(*arena_);
  }
  colon();
  const Stmts body = block("class definition", head);
  return make<ClassDef>(
      StmtKind::ClassDef,
      head.begin,
      name,
      bases,
      named,
      body,
      decorators,
      type_params);
}

}  // namespace portwright::syntax

#include <fmt/format.h>

#include "syntax/parser_impl.h"

namespace portwright::syntax {

Stmt* Parser::compound_statement() {
  const uint32_t start = begin();
  switch (kind()) {
    case TK::KwIf:
      return if_statement();
    case TK::KwFor:
      return for_statement(start, StmtKind::For);
    case TK::KwWhile:
      return while_statement();
    case TK::KwTry:
      return try_statement();
    case TK::KwWith:
      return with_statement(start, StmtKind::With);
    case TK::KwDef:
      return function(start, StmtKind::FunctionDef, {});
    case TK::KwClass:
      return class_definition({});
    case TK::At:
      return decorated();
    default:
      return async_statement({});
  }
}

void Parser::colon() {
  if (accept(TK::Colon)) {
    return;
  }
  if (at(TK::Error)) {
    throw Fault{};
  }
  if (at(TK::Equal)) {
    fail_here(
        "'=' cannot be used inside an expression",
        "use '==' to compare, or ':=' to bind a name");
  }
  fail_here("expected ':'");
}

// NEWLINE INDENT statement+ DEDENT | simple_statements, behind a colon.
Stmts Parser::block(std::string_view after, const Token& head) {
  const Deeper deeper(*this);
  Children<Stmt*> body(stmts_);
  if (!at(TK::Newline)) {
    simple_statements(body);
    return body.take(*arena_);
  }
  if (kind(1) != TK::Indent) {
    fail(
        span(at_[1].kind == TK::EndOfFile ? at_[0] : at_[1]),
        fmt::format(
            "expected an indented block after {} on line {}",
            after,
            source_->position(head.begin).line));
  }
  ++at_;
  ++at_;
  statements(body, TK::Dedent);
  if (at(TK::Dedent)) {
    ++at_;
  }
  return body.take(*arena_);
}

// ('else' ':' block)?
Stmts Parser::else_block() {
  const Token& head = *at_;
  if (!accept(TK::KwElse)) {
    return {};
  }
  colon();
  return block("'else' statement", head);
}

// ('if' | 'elif') named_expression ':' block (elif | else)?
Stmt* Parser::if_statement() {
  const Deeper deeper(*this);
  const Token& head = next();
  Expr* test = named_expression();
  colon();
  const Stmts body = block(
      head.kind == TK::KwIf ? "'if' statement" : "'elif' statement", head);
  Stmts orelse;
  if (at(TK::KwElif)) {
    Stmt* nested = if_statement();
    auto* slot = arena_->make<Stmt*>(nested);
    orelse = {slot, 1};
  } else {
    orelse = else_block();
  }
  return make<Conditional>(StmtKind::If, head.begin, test, body, orelse);
}

// 'while' named_expression ':' block else?
Stmt* Parser::while_statement() {
  const Token& head = next();
  Expr* test = named_expression();
  colon();
  const Stmts body = block("'while' statement", head);
  const Stmts orelse = else_block();
  return make<Conditional>(StmtKind::While, head.begin, test, body, orelse);
}

// 'for' targets 'in' star_expressions ':' block else?
Stmt* Parser::for_statement(uint32_t start, StmtKind kind) {
  const Token& head = next();
  Expr* target = target_list();
  expect(TK::KwIn);
  Expr* iter = star_expressions();
  colon();
  const Stmts body = block("'for' statement", head);
  const Stmts orelse = else_block();
  return make<For>(kind, start, target, iter, body, orelse);
}

// 'with' ('(' item (',' item)* ','? ')' | item (',' item)*) ':' block
Stmt* Parser::with_statement(uint32_t start, StmtKind kind) {
  const Token& head = next();
  Children<WithItem> items(with_items_);
  const bool wrapped =
      at(TK::LeftParen) && attempt([&] { return parenthesized_items(items); });
  if (!wrapped) {
    while (items.size() > 0) {
      items.pop();
    }
    do {
      items.push(with_item(TK::Colon));
    } while (accept(TK::Comma));
  }
  colon();
  const Stmts body = block("'with' statement", head);
  return make<With>(kind, start, items.take(*arena_), body);
}

bool Parser::parenthesized_items(Children<WithItem>& items) {
  next();
  do {
    items.push(with_item(TK::RightParen));
  } while (accept(TK::Comma) && !at(TK::RightParen));
  return accept(TK::RightParen) && at(TK::Colon);
}

// expression ('as' target)?
WithItem Parser::with_item(TK close) {
  Expr* context = expression();
  if (!accept(TK::KwAs)) {
    return {context, nullptr};
  }
  Expr* target = star_expression();
  if (!at(TK::Comma) && !at(close)) {
    colon();
  }
  assign_target(target);
  return {context, target};
}

// 'try' ':' block (handler+ else? finally? | finally)
Stmt* Parser::try_statement() {
  const Token& head = next();
  colon();
  const Stmts body = block("'try' statement", head);
  Children<ExceptHandler> handlers(handlers_);
  bool star = false;
  while (at(TK::KwExcept)) {
    const bool this_star = kind(1) == TK::Star;
    if (handlers.size() > 0 && this_star != star) {
      fail_here("cannot have both 'except' and 'except*' on the same 'try'");
    }
    star = this_star;
    handlers.push(handler(star));
  }
  const Stmts orelse = handlers.size() > 0 ? else_block() : Stmts{};
  Stmts finalbody;
  const Token& tail = *at_;
  if (accept(TK::KwFinally)) {
    colon();
    finalbody = block("'finally' statement", tail);
  } else if (handlers.size() == 0) {
    fail_here("expected 'except' or 'finally' block");
  }
  return make<Try>(
      star ? StmtKind::TryStar : StmtKind::Try,
      head.begin,
      body,
      handlers.take(*arena_),
      orelse,
      finalbody);
}

// 'except' '*'? (expression ('as' NAME)? | expression (',' expression)+)? ':'
ExceptHandler Parser::handler(bool star) {
  const Token& head = next();
  if (star) {
    next();
  }
  Expr* type = nullptr;
  Symbol name;
  if (!at(TK::Colon)) {
    const uint32_t start = begin();
    if (at(TK::Newline)) {
      fail_here(star ? "expected one or more exception types" : "expected ':'");
    }
    type = expression();
    if (at(TK::Comma)) {
      type = tuple_rest(start, type, &Parser::expression);
      if (at(TK::KwAs)) {
        fail(
            type->span,
            "multiple exception types must be parenthesized when using 'as'");
      }
    }
    if (accept(TK::KwAs)) {
      name = expect_name("a name after 'as'");
    }
  } else if (star) {
    fail_here("expected one or more exception types");
  }
  colon();
  const Stmts body =
      block(star ? "'except*' statement" : "'except' statement", head);
  return {type, name, body, span(head.begin)};
}

}  // namespace portwright::syntax

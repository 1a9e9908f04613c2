#include <fmt/format.h>

#include "syntax/parser_impl.h"

namespace portwright::syntax {

// '(' ')' | '(' yield ')' | '(' named_expression ')' | tuple | generator
Expr* Parser::parenthesized() {
  const Deeper deeper(*this);
  const Token& open = next();
  if (accept(TK::RightParen)) {
    return make<Sequence>(
        ExprKind::Tuple, open.begin, Exprs{}, ExprContext::Load);
  }
  if (at(TK::KwYield)) {
    Expr* value = yield_expression();
    expect_close(TK::RightParen, open);
    return value;
  }
  Expr* first = star_named_expression();
  if (at_comprehension()) {
    if (first->kind == ExprKind::Starred) {
      fail(first->span, "iterable unpacking cannot be used in comprehension");
    }
    const auto generators = comprehension();
    expect_close(TK::RightParen, open);
    return make<ElementComp>(
        ExprKind::GeneratorExp, open.begin, first, generators);
  }
  if (at(TK::Comma)) {
    Children<Expr*> items(exprs_);
    items.push(first);
    while (accept(TK::Comma) && !at(TK::RightParen)) {
      items.push(star_named_expression());
    }
    expect_close(TK::RightParen, open);
    return make<Sequence>(
        ExprKind::Tuple, open.begin, items.take(*arena_), ExprContext::Load);
  }
  if (first->kind == ExprKind::Starred) {
    fail(first->span, "cannot use starred expression here");
  }
  if (at(TK::Equal)) {
    fail(
        span(*at_),
        "'=' cannot be used inside an expression",
        "use '==' to compare, or ':=' to bind a name");
  }
  expect_close(TK::RightParen, open);
  return first;
}

// '[' (star_named_expression (',' ...)* ','?)? ']' | list comprehension
Expr* Parser::list_display() {
  const Deeper deeper(*this);
  const Token& open = next();
  Children<Expr*> items(exprs_);
  while (!at(TK::RightBracket)) {
    items.push(star_named_expression());
    if (items.size() == 1 && at_comprehension()) {
      if (items[0]->kind == ExprKind::Starred) {
        fail(
            items[0]->span,
            "iterable unpacking cannot be used in comprehension");
      }
      const auto generators = comprehension();
      expect_close(TK::RightBracket, open);
      return make<ElementComp>(
          ExprKind::ListComp, open.begin, items[0], generators);
    }
    if (!accept(TK::Comma)) {
      break;
    }
  }
  expect_close(TK::RightBracket, open);
  return make<Sequence>(
      ExprKind::List, open.begin, items.take(*arena_), ExprContext::Load);
}

// A dict, a set, or a comprehension of either.
Expr* Parser::brace_display() {
  const Deeper deeper(*this);
  const Token& open = next();
  if (accept(TK::RightBrace)) {
    return make<Dict>(ExprKind::Dict, open.begin, Exprs{}, Exprs{});
  }
  if (at(TK::DoubleStar)) {
    return dict_rest(open, nullptr);
  }
  Expr* first = star_named_expression();
  if (at(TK::Colon)) {
    if (first->kind == ExprKind::Starred) {
      fail(first->span, "cannot use a starred expression in a dictionary key");
    }
    if (first->kind == ExprKind::NamedExpr &&
        first->span.begin == (&open)[1].begin) {
      unexpected();
    }
    return dict_rest(open, first);
  }
  return set_rest(open, first);
}

// (key ':' value | '**' bitwise_or) (',' ...)* ','? '}', behind the first key.
Expr* Parser::dict_rest(const Token& open, Expr* key) {
  Children<Expr*> keys(exprs_);
  Children<Expr*> values(other_exprs_);
  for (;;) {
    if (key == nullptr && accept(TK::DoubleStar)) {
      keys.push(nullptr);
      values.push(bitwise_or());
    } else {
      keys.push(key != nullptr ? key : expression());
      key = nullptr;
      if (!at(TK::Colon) && !at(TK::Error)) {
        fail(keys.back()->span, "':' expected after dictionary key");
      }
      expect(TK::Colon);
      if (at(TK::RightBrace) || at(TK::Comma)) {
        fail(span(at_[-1]), "expression expected after dictionary key and ':'");
      }
      if (at(TK::Star)) {
        fail_here("cannot use a starred expression in a dictionary value");
      }
      values.push(expression());
    }
    if (keys.size() == 1 && at_comprehension()) {
      if (keys[0] == nullptr) {
        fail(
            values[0]->span,
            "dict unpacking cannot be used in dict comprehension");
      }
      const auto generators = comprehension();
      expect_close(TK::RightBrace, open);
      return make<DictComp>(
          ExprKind::DictComp, open.begin, keys[0], values[0], generators);
    }
    if (!accept(TK::Comma) || at(TK::RightBrace)) {
      break;
    }
  }
  expect_close(TK::RightBrace, open);
  return make<Dict>(
      ExprKind::Dict, open.begin, keys.take(*arena_), values.take(*arena_));
}

Expr* Parser::set_rest(const Token& open, Expr* first) {
  if (at_comprehension()) {
    if (first->kind == ExprKind::Starred) {
      fail(first->span, "iterable unpacking cannot be used in comprehension");
    }
    const auto generators = comprehension();
    expect_close(TK::RightBrace, open);
    return make<ElementComp>(ExprKind::SetComp, open.begin, first, generators);
  }
  Children<Expr*> items(exprs_);
  items.push(first);
  while (accept(TK::Comma) && !at(TK::RightBrace)) {
    items.push(star_named_expression());
  }
  expect_close(TK::RightBrace, open);
  return make<Set>(ExprKind::Set, open.begin, items.take(*arena_));
}

// ('async'? 'for' targets 'in' disjunction ('if' disjunction)*)+
Seq<Comprehension> Parser::comprehension() {
  Children<Comprehension> generators(comprehensions_);
  while (at_comprehension()) {
    const bool is_async = accept(TK::KwAsync);
    next();
    Expr* target = target_list();
    if (!accept(TK::KwIn)) {
      fail_here("expected 'in' after for-loop variables");
    }
    Expr* iter = disjunction();
    Children<Expr*> ifs(exprs_);
    while (accept(TK::KwIf)) {
      ifs.push(disjunction());
    }
    generators.push({target, iter, ifs.take(*arena_), is_async});
  }
  return generators.take(*arena_);
}

}  // namespace portwright::syntax

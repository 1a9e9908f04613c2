#include <fmt/format.h>

#include "syntax/parser_impl.h"

namespace portwright::syntax {

// atom ('.' NAME | call | subscript)*
Expr* Parser::primary() {
  const uint32_t start = begin();
  Chain chain(*this);
  Expr* value = atom();
  for (;;) {
    switch (kind()) {
      case TK::Dot: {
        next();
        const Symbol name = expect_name("an attribute name");
        value = make<Attribute>(
            ExprKind::Attribute, start, value, name, ExprContext::Load);
        break;
      }
      case TK::LeftParen:
        value = call(start, value);
        break;
      case TK::LeftBracket:
        value = subscript(start, value);
        break;
      default:
        return value;
    }
    chain.link();
  }
}

Expr* Parser::atom() {
  const uint32_t start = begin();
  switch (kind()) {
    case TK::Name: {
      const Token& name = next();
      return make<Name>(ExprKind::Name, start, symbol(name), ExprContext::Load);
    }
    case TK::Number:
      return number();
    case TK::String:
    case TK::FStringStart:
      return strings();
    case TK::KwNone:
      return constant(ConstantKind::None);
    case TK::KwTrue:
      return constant(ConstantKind::True);
    case TK::KwFalse:
      return constant(ConstantKind::False);
    case TK::Ellipsis:
      return constant(ConstantKind::Ellipsis);
    case TK::LeftParen:
      return parenthesized();
    case TK::LeftBracket:
      return list_display();
    case TK::LeftBrace:
      return brace_display();
    default:
      break;
  }
  if (is_keyword(kind())) {
    fail_here(fmt::format(
        "expected an expression, found the keyword '{}'", spelling(kind())));
  }
  unexpected();
}

// '(' arguments? ')' | '(' generator ')'
Expr* Parser::call(uint32_t start, Expr* func) {
  Children<Expr*> args(exprs_);
  Children<Keyword> keywords(keywords_);
  const Token& open = next();
  if (!at(TK::RightParen)) {
    call_arguments(args, keywords);
    if (at_comprehension() && args.size() == 1 && keywords.size() == 0) {
      const Token& comma = at_[-1];
      if (comma.kind == TK::Comma) {
        unexpected();
      }
      const auto generators = comprehension();
      if (at(TK::Comma)) {
        fail(
            {source_.get(), args[0]->span.begin, last_end_},
            "generator expression must be parenthesized");
      }
      expect_close(TK::RightParen, open);
      args.back() = make<ElementComp>(
          ExprKind::GeneratorExp, open.begin, args[0], generators);
      return make<Call>(
          ExprKind::Call, start, func, args.take(*arena_), Seq<Keyword>{});
    }
  }
  expect_close(TK::RightParen, open);
  return make<Call>(
      ExprKind::Call, start, func, args.take(*arena_), keywords.take(*arena_));
}

// Arguments up to the closing parenthesis, or up to the `for` of a generator
// that is the only argument.
void Parser::call_arguments(
    Children<Expr*>& args,
    Children<Keyword>& keywords) {
  bool named = false;
  bool unpacked = false;
  while (!at(TK::RightParen)) {
    const uint32_t start = begin();
    if (accept(TK::DoubleStar)) {
      Expr* value = expression();
      keywords.push({Symbol(), value, span(start)});
      unpacked = true;
    } else if (accept(TK::Star)) {
      if (unpacked) {
        fail_here(
            "iterable argument unpacking follows keyword argument unpacking");
      }
      Expr* value = expression();
      args.push(
          make<Starred>(ExprKind::Starred, start, value, ExprContext::Load));
    } else if (at(TK::Name) && kind(1) == TK::Equal) {
      const Symbol name = symbol(next());
      next();
      if (at(TK::Comma) || at(TK::RightParen)) {
        fail(
            {source_.get(), start, last_end_},
            "expected argument value expression");
      }
      Expr* value = expression();
      keywords.push({name, value, span(start)});
      named = true;
    } else {
      Expr* value = positional_argument();
      args.push(value);
      if (at_comprehension()) {
        if (args.size() == 1 && keywords.size() == 0) {
          return;
        }
        comprehension();
        fail(
            span(value->span.begin),
            "generator expression must be parenthesized");
      }
      if (unpacked) {
        fail(
            value->span,
            "positional argument follows keyword argument unpacking");
      }
      if (named) {
        fail(value->span, "positional argument follows keyword argument");
      }
    }
    if (!accept(TK::Comma)) {
      return;
    }
  }
}

Expr* Parser::positional_argument() {
  Expr* value = named_expression();
  if (at(TK::Equal)) {
    refuse_target(
        *value,
        "assign to",
        "a keyword argument is written name=value; use '==' to compare");
  }
  return value;
}

// '[' slices ']'
Expr* Parser::subscript(uint32_t start, Expr* value) {
  const Token& open = next();
  if (at(TK::RightBracket)) {
    fail_here("expected an index");
  }
  Expr* index = slices();
  expect_close(TK::RightBracket, open);
  return make<Subscript>(
      ExprKind::Subscript, start, value, index, ExprContext::Load);
}

// slice | (slice | '*' expression) (',' ...)* ','?
Expr* Parser::slices() {
  const uint32_t start = begin();
  const bool starred = at(TK::Star);
  Expr* first = slice();
  if (!at(TK::Comma) && !starred) {
    return first;
  }
  Children<Expr*> items(exprs_);
  items.push(first);
  while (accept(TK::Comma) && !at(TK::RightBracket)) {
    items.push(slice());
  }
  return make<Sequence>(
      ExprKind::Tuple, start, items.take(*arena_), ExprContext::Load);
}

// expression? ':' expression? (':' expression?)? | named_expression
Expr* Parser::slice() {
  const uint32_t start = begin();
  if (at(TK::Star)) {
    next();
    Expr* value = expression();
    return make<Starred>(ExprKind::Starred, start, value, ExprContext::Load);
  }
  Expr* lower = nullptr;
  if (!at(TK::Colon)) {
    lower = named_expression();
    if (!at(TK::Colon)) {
      return lower;
    }
    if (lower->kind == ExprKind::NamedExpr && lower->span.begin == start) {
      unexpected();
    }
  }
  next();
  const auto bound = [&]() -> Expr* {
    return at_expression() ? expression() : nullptr;
  };
  Expr* upper = bound();
  Expr* step = accept(TK::Colon) ? bound() : nullptr;
  return make<Slice>(ExprKind::Slice, start, lower, upper, step);
}

}  // namespace portwright::syntax

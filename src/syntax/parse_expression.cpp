#include <fmt/format.h>

#include "syntax/parser_impl.h"

namespace portwright::syntax {

namespace {

using TK = TokenKind;

// bitwise_or 1 ... term 6; 0 where the token is no binary operator. In the
// order of BinaryOperator, which token kinds share.
constexpr int8_t kPrecedence[] = {5, 5, 6, 6, 6, 6, 0, 4, 4, 1, 2, 3, 6};

int precedence_of(TK kind) {
  const int index = static_cast<int>(kind) - static_cast<int>(TK::Plus);
  return index >= 0 && index < 13 ? kPrecedence[index] : 0;
}

}  // namespace

bool Parser::at_expression() const {
  switch (kind()) {
    case TK::Name:
    case TK::Number:
    case TK::String:
    case TK::FStringStart:
    case TK::LeftParen:
    case TK::LeftBracket:
    case TK::LeftBrace:
    case TK::Ellipsis:
    case TK::Minus:
    case TK::Plus:
    case TK::Tilde:
    case TK::KwNone:
    case TK::KwTrue:
    case TK::KwFalse:
    case TK::KwNot:
    case TK::KwLambda:
    case TK::KwAwait:
      return true;
    default:
      return false;
  }
}

// element (',' element)* ','?, behind the first element.
Expr* Parser::tuple_rest(
    uint32_t begin,
    Expr* first,
    Expr* (Parser::*element)()) {
  Children<Expr*> items(exprs_);
  items.push(first);
  while (accept(TK::Comma)) {
    if (!at_expression() && !at(TK::Star)) {
      break;
    }
    items.push((this->*element)());
  }
  return make<Sequence>(
      ExprKind::Tuple, begin, items.take(*arena_), ExprContext::Load);
}

// star_expression (',' star_expression)* ','?
Expr* Parser::star_expressions() {
  const uint32_t start = begin();
  Expr* first = star_expression();
  return at(TK::Comma) ? tuple_rest(start, first, &Parser::star_expression)
                       : first;
}

Expr* Parser::star_expression() {
  const uint32_t start = begin();
  if (!accept(TK::Star)) {
    return expression();
  }
  Expr* value = bitwise_or();
  return make<Starred>(ExprKind::Starred, start, value, ExprContext::Load);
}

Expr* Parser::star_named_expression() {
  return at(TK::Star) ? star_expression() : named_expression();
}

// NAME ':=' expression | expression
Expr* Parser::named_expression() {
  const uint32_t start = begin();
  if (at(TK::Name) && kind(1) == TK::ColonEqual) {
    const Token& name = next();
    Expr* target =
        make<Name>(ExprKind::Name, start, symbol(name), ExprContext::Store);
    next();
    Expr* value = expression();
    return make<NamedExpr>(ExprKind::NamedExpr, start, target, value);
  }
  Expr* value = expression();
  if (at(TK::ColonEqual)) {
    refuse_target(*value, "use assignment expressions with", "");
  }
  return value;
}

// disjunction ('if' disjunction 'else' expression)? | lambda
Expr* Parser::expression() {
  const Deeper deeper(*this);
  if (at(TK::KwLambda)) {
    return lambda();
  }
  const uint32_t start = begin();
  Chain chain(*this);
  Expr* body = disjunction();
  if (!at(TK::KwIf)) {
    return body;
  }
  const Token& keyword = next();
  Expr* test = disjunction();
  if (!accept(TK::KwElse)) {
    if (at(TK::Error)) {
      throw Fault{};
    }
    fail(span(keyword), "expected 'else' after 'if' expression");
  }
  Expr* orelse = expression();
  chain.link();
  return make<IfExp>(ExprKind::IfExp, start, test, body, orelse);
}

Expr* Parser::disjunction() {
  const uint32_t start = begin();
  Expr* first = conjunction();
  if (!at(TK::KwOr)) {
    return first;
  }
  Children<Expr*> values(exprs_);
  values.push(first);
  while (accept(TK::KwOr)) {
    values.push(conjunction());
  }
  return make<BoolOp>(
      ExprKind::BoolOp, start, BoolOperator::Or, values.take(*arena_));
}

Expr* Parser::conjunction() {
  const uint32_t start = begin();
  Expr* first = inversion();
  if (!at(TK::KwAnd)) {
    return first;
  }
  Children<Expr*> values(exprs_);
  values.push(first);
  while (accept(TK::KwAnd)) {
    values.push(inversion());
  }
  return make<BoolOp>(
      ExprKind::BoolOp, start, BoolOperator::And, values.take(*arena_));
}

Expr* Parser::inversion() {
  if (!at(TK::KwNot)) {
    return comparison();
  }
  const Deeper deeper(*this);
  const uint32_t start = begin();
  next();
  Expr* operand = inversion();
  return make<UnaryOp>(ExprKind::UnaryOp, start, UnaryOperator::Not, operand);
}

// bitwise_or (comparison_operator bitwise_or)*
Expr* Parser::comparison() {
  const uint32_t start = begin();
  Expr* left = bitwise_or();
  Children<CompareOperator> ops(compare_ops_);
  Children<Expr*> comparators(exprs_);
  for (;;) {
    const TK op = kind();
    if (op >= TK::EqualEqual && op <= TK::GreaterEqual) {
      constexpr CompareOperator kOperators[] = {
          CompareOperator::Eq,
          CompareOperator::NotEq,
          CompareOperator::Lt,
          CompareOperator::LtE,
          CompareOperator::Gt,
          CompareOperator::GtE};
      ops.push(
          kOperators[static_cast<int>(op) - static_cast<int>(TK::EqualEqual)]);
    } else if (op == TK::KwIn) {
      ops.push(CompareOperator::In);
    } else if (op == TK::KwIs) {
      if (kind(1) == TK::KwNot) {
        next();
        ops.push(CompareOperator::IsNot);
      } else {
        ops.push(CompareOperator::Is);
      }
    } else if (op == TK::KwNot && kind(1) == TK::KwIn) {
      next();
      ops.push(CompareOperator::NotIn);
    } else {
      break;
    }
    next();
    comparators.push(bitwise_or());
  }
  if (ops.size() == 0) {
    return left;
  }
  return make<Compare>(
      ExprKind::Compare,
      start,
      left,
      ops.take(*arena_),
      comparators.take(*arena_));
}

Expr* Parser::binary(int precedence) {
  const uint32_t start = begin();
  if (precedence_of(kind(1)) == 0 && at(TK::Name) && kind(1) != TK::LeftParen &&
      kind(1) != TK::LeftBracket && kind(1) != TK::Dot &&
      kind(1) != TK::DoubleStar) {
    const Token& name = next();
    return make<Name>(ExprKind::Name, start, symbol(name), ExprContext::Load);
  }
  Chain chain(*this);
  Expr* left = factor();
  for (;;) {
    const TK op = kind();
    const int level = precedence_of(op);
    if (level == 0 || level < precedence) {
      return left;
    }
    next();
    Expr* right = binary(level + 1);
    chain.link();
    left = make<BinOp>(
        ExprKind::BinOp,
        start,
        left,
        static_cast<BinaryOperator>(
            static_cast<int>(op) - static_cast<int>(TK::Plus)),
        right);
  }
}

// ('+' | '-' | '~') factor | power
Expr* Parser::factor() {
  UnaryOperator op;
  switch (kind()) {
    case TK::Plus:
      op = UnaryOperator::UAdd;
      break;
    case TK::Minus:
      op = UnaryOperator::USub;
      break;
    case TK::Tilde:
      op = UnaryOperator::Invert;
      break;
    default:
      return power();
  }
  const Deeper deeper(*this);
  const uint32_t start = begin();
  next();
  Expr* operand = factor();
  return make<UnaryOp>(ExprKind::UnaryOp, start, op, operand);
}

// 'await'? primary ('**' factor)?
Expr* Parser::power() {
  const uint32_t start = begin();
  const bool awaited = accept(TK::KwAwait);
  Expr* base = primary();
  if (awaited) {
    base = make<ValueExpr>(ExprKind::Await, start, base);
  }
  if (!at(TK::DoubleStar)) {
    return base;
  }
  const Deeper deeper(*this);
  next();
  Expr* exponent = factor();
  return make<BinOp>(
      ExprKind::BinOp, start, base, BinaryOperator::Pow, exponent);
}

// 'lambda' parameters? ':' expression
Expr* Parser::lambda() {
  const uint32_t start = begin();
  next();
  Arguments* args = parameters(TK::Colon, false);
  expect(TK::Colon);
  if (at(TK::FStringMiddle) || at(TK::RightBrace)) {
    fail(
        {source_.get(), start, at_->end},
        "f-string: lambda expressions are not allowed without parentheses");
  }
  Expr* body = expression();
  return make<Lambda>(ExprKind::Lambda, start, args, body);
}

// 'yield' 'from' expression | 'yield' star_expressions?
Expr* Parser::yield_expression() {
  const uint32_t start = begin();
  next();
  if (accept(TK::KwFrom)) {
    Expr* value = expression();
    return make<ValueExpr>(ExprKind::YieldFrom, start, value);
  }
  Expr* value = nullptr;
  if (at_expression() || at(TK::Star)) {
    value = star_expressions();
  }
  return make<ValueExpr>(ExprKind::Yield, start, value);
}

Expr* Parser::yield_or_star_expressions() {
  return at(TK::KwYield) ? yield_expression() : star_expressions();
}

}  // namespace portwright::syntax

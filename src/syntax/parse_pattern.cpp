#include <fmt/format.h>

#include "syntax/parser_impl.h"

namespace portwright::syntax {

Pattern* Parser::closed_pattern() {
  const uint32_t start = begin();
  const auto singleton = [&](ConstantKind value) {
    next();
    return make<MatchSingleton>(PatternKind::MatchSingleton, start, value);
  };
  switch (kind()) {
    case TK::KwNone:
      return singleton(ConstantKind::None);
    case TK::KwTrue:
      return singleton(ConstantKind::True);
    case TK::KwFalse:
      return singleton(ConstantKind::False);
    case TK::Number:
    case TK::Minus: {
      Expr* value = pattern_number();
      return make<MatchValue>(PatternKind::MatchValue, start, value);
    }
    case TK::String:
    case TK::FStringStart: {
      Expr* value = strings();
      return make<MatchValue>(PatternKind::MatchValue, start, value);
    }
    case TK::Name:
      return name_pattern();
    case TK::LeftParen:
    case TK::LeftBracket:
      return bracketed_pattern();
    case TK::LeftBrace:
      return mapping_pattern();
    default:
      unexpected();
  }
}

// '-'? NUMBER
Expr* Parser::signed_number() {
  const uint32_t start = begin();
  const bool minus = accept(TK::Minus);
  if (!at(TK::Number)) {
    unexpected();
  }
  Expr* value = number();
  return minus ? make<UnaryOp>(
                     ExprKind::UnaryOp, start, UnaryOperator::USub, value)
               : value;
}

// signed_number (('+' | '-') NUMBER)?: real, then imaginary
Expr* Parser::pattern_number() {
  const uint32_t start = begin();
  const auto is_complex = [](const Expr* e) {
    const Expr* number =
        e->kind == ExprKind::UnaryOp ? as<UnaryOp>(*e).operand : e;
    return as<Constant>(*number).value_kind == ConstantKind::Complex;
  };
  Expr* left = signed_number();
  if (!at(TK::Plus) && !at(TK::Minus)) {
    return left;
  }
  if (is_complex(left)) {
    fail(left->span, "real number required in complex literal");
  }
  const BinaryOperator op =
      next().kind == TK::Plus ? BinaryOperator::Add : BinaryOperator::Sub;
  if (!at(TK::Number)) {
    unexpected();
  }
  Expr* right = number();
  if (!is_complex(right)) {
    fail(right->span, "imaginary number required in complex literal");
  }
  return make<BinOp>(ExprKind::BinOp, start, left, op, right);
}

Symbol Parser::capture_name() {
  const Symbol name = expect_name("a name");
  if (name == wildcard_) {
    fail(span(at_[-1]), "cannot use '_' as a target");
  }
  return name;
}

// NAME ('.' NAME)*
Expr* Parser::pattern_name() {
  const uint32_t start = begin();
  const Symbol first = expect_name("a name");
  Expr* value = make<Name>(ExprKind::Name, start, first, ExprContext::Load);
  Chain chain(*this);
  while (accept(TK::Dot)) {
    chain.link();
    const Symbol name = expect_name("an attribute name");
    value = make<Attribute>(
        ExprKind::Attribute, start, value, name, ExprContext::Load);
  }
  return value;
}

// A wildcard, a capture, a dotted value or a class pattern.
Pattern* Parser::name_pattern() {
  const uint32_t start = begin();
  if (kind(1) != TK::Dot && kind(1) != TK::LeftParen) {
    const Symbol name = symbol(next());
    if (at(TK::Equal)) {
      unexpected();
    }
    return make<MatchAs>(
        PatternKind::MatchAs,
        start,
        static_cast<Pattern*>(nullptr),
        name == wildcard_ ? Symbol() : name);
  }
  Expr* value = pattern_name();
  if (at(TK::LeftParen)) {
    return class_pattern(start, value);
  }
  return make<MatchValue>(PatternKind::MatchValue, start, value);
}

// name '(' (pattern ',')* (NAME '=' pattern ',')* ')'
Pattern* Parser::class_pattern(uint32_t start, Expr* cls) {
  const Token& open = next();
  Children<Pattern*> positional(patterns_);
  Children<Pattern*> named(other_patterns_);
  Children<Symbol> names(symbols_);
  while (!at(TK::RightParen)) {
    if (at(TK::Name) && kind(1) == TK::Equal) {
      names.push(symbol(next()));
      next();
      named.push(pattern());
    } else {
      Pattern* item = pattern();
      if (names.size() > 0) {
        fail(item->span, "positional patterns follow keyword patterns");
      }
      positional.push(item);
    }
    if (!accept(TK::Comma)) {
      break;
    }
  }
  expect_close(TK::RightParen, open);
  return make<MatchClass>(
      PatternKind::MatchClass,
      start,
      cls,
      positional.take(*arena_),
      names.take(*arena_),
      named.take(*arena_));
}

// A literal or a dotted name.
Expr* Parser::pattern_key() {
  switch (kind()) {
    case TK::KwNone:
      return constant(ConstantKind::None);
    case TK::KwTrue:
      return constant(ConstantKind::True);
    case TK::KwFalse:
      return constant(ConstantKind::False);
    case TK::Number:
    case TK::Minus:
      return pattern_number();
    case TK::String:
    case TK::FStringStart:
      return strings();
    case TK::Name:
      if (kind(1) == TK::Dot) {
        return pattern_name();
      }
      fail_here("a mapping pattern's key must be a literal or a dotted name");
    default:
      unexpected();
  }
}

// '{' (key ':' pattern ',')* ('**' NAME ','?)? '}'
Pattern* Parser::mapping_pattern() {
  const Token& open = next();
  Children<Expr*> keys(exprs_);
  Children<Pattern*> values(patterns_);
  Symbol rest;
  while (!at(TK::RightBrace)) {
    if (rest) {
      fail_here("a double star pattern must be the last of a mapping pattern");
    }
    if (accept(TK::DoubleStar)) {
      rest = capture_name();
    } else {
      keys.push(pattern_key());
      expect(TK::Colon);
      values.push(pattern());
    }
    if (!accept(TK::Comma)) {
      break;
    }
  }
  expect_close(TK::RightBrace, open);
  return make<MatchMapping>(
      PatternKind::MatchMapping,
      open.begin,
      keys.take(*arena_),
      values.take(*arena_),
      rest);
}

// '[' patterns ']' | '(' patterns ')'; one pattern in parentheses, with no
// comma, is that pattern.
Pattern* Parser::bracketed_pattern() {
  const Token& open = next();
  const bool square = open.kind == TK::LeftBracket;
  const TK close = square ? TK::RightBracket : TK::RightParen;
  Children<Pattern*> items(patterns_);
  bool comma = false;
  while (!at(close)) {
    items.push(star_pattern());
    comma = accept(TK::Comma);
    if (!comma) {
      break;
    }
  }
  expect_close(close, open);
  if (!square && items.size() == 1 && !comma) {
    if (items[0]->kind == PatternKind::MatchStar) {
      fail(items[0]->span, "a star pattern must be part of a sequence");
    }
    return items[0];
  }
  return make<MatchSequence>(
      PatternKind::MatchSequence, open.begin, items.take(*arena_));
}

}  // namespace portwright::syntax

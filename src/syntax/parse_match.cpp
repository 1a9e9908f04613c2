#include <fmt/format.h>

#include "syntax/parser_impl.h"

namespace portwright::syntax {

// 'match' subject ':' NEWLINE INDENT case+ DEDENT; null, with nothing read,
// where `match` is a plain name.
Stmt* Parser::match_statement() {
  switch (kind(1)) {
    case TK::Equal:
    case TK::Dot:
    case TK::Comma:
    case TK::Colon:
    case TK::Newline:
    case TK::RightParen:
      return nullptr;
    default:
      break;
  }
  const uint32_t start = begin();
  Expr* subject = nullptr;
  const bool found = attempt([&] {
    next();
    subject = match_subject();
    return at(TK::Colon) && kind(1) == TK::Newline;
  });
  if (!found) {
    return nullptr;
  }
  const Token& head = at_[-1];
  next();
  if (kind(1) != TK::Indent) {
    fail(
        span(kind(1) == TK::EndOfFile ? at_[0] : at_[1]),
        fmt::format(
            "expected an indented block after 'match' statement on line {}",
            source_->position(head.begin).line));
  }
  ++at_;
  ++at_;
  const Deeper deeper(*this);
  Children<MatchCase> cases(cases_);
  while (!at(TK::Dedent) && !at(TK::EndOfFile)) {
    const Token* const from = at_;
    try {
      cases.push(match_case());
    } catch (const Fault&) {
      if (attempts_ > 0) {
        throw;
      }
      recover(from);
    }
  }
  if (at(TK::Dedent)) {
    ++at_;
  }
  return make<Match>(StmtKind::Match, start, subject, cases.take(*arena_));
}

// star_named_expression ',' ... | named_expression
Expr* Parser::match_subject() {
  const uint32_t start = begin();
  Expr* first = star_named_expression();
  if (at(TK::Comma)) {
    return tuple_rest(start, first, &Parser::star_named_expression);
  }
  if (first->kind == ExprKind::Starred) {
    unexpected();
  }
  return first;
}

// 'case' patterns ('if' named_expression)? ':' block
MatchCase Parser::match_case() {
  if (!at_word(case_word_)) {
    fail_here("expected 'case'");
  }
  const Token& head = next();
  Pattern* pattern = patterns();
  Expr* guard = accept(TK::KwIf) ? named_expression() : nullptr;
  colon();
  const Stmts body = block("'case' statement", head);
  return {pattern, guard, body};
}

// An open sequence, or one pattern.
Pattern* Parser::patterns() {
  const uint32_t start = begin();
  Pattern* first = star_pattern();
  if (!at(TK::Comma)) {
    if (first->kind == PatternKind::MatchStar) {
      fail(first->span, "a star pattern must be part of a sequence");
    }
    return first;
  }
  Children<Pattern*> items(patterns_);
  items.push(first);
  while (accept(TK::Comma) && !at(TK::Colon) && !at(TK::KwIf)) {
    items.push(star_pattern());
  }
  return make<MatchSequence>(
      PatternKind::MatchSequence, start, items.take(*arena_));
}

// '*' NAME | pattern
Pattern* Parser::star_pattern() {
  const uint32_t start = begin();
  if (!accept(TK::Star)) {
    return pattern();
  }
  const Symbol name = expect_name("a name after '*'");
  return make<MatchStar>(
      PatternKind::MatchStar, start, name == wildcard_ ? Symbol() : name);
}

// or_pattern ('as' NAME)?
Pattern* Parser::pattern() {
  const Deeper deeper(*this);
  const uint32_t start = begin();
  Pattern* inner = or_pattern();
  if (!accept(TK::KwAs)) {
    return inner;
  }
  if (!at(TK::Name) || kind(1) == TK::Dot || kind(1) == TK::LeftParen ||
      kind(1) == TK::Equal) {
    fail_here("invalid pattern target");
  }
  const Symbol name = capture_name();
  return make<MatchAs>(PatternKind::MatchAs, start, inner, name);
}

// closed_pattern ('|' closed_pattern)*
Pattern* Parser::or_pattern() {
  const uint32_t start = begin();
  Pattern* first = closed_pattern();
  if (!at(TK::VerticalBar)) {
    return first;
  }
  Children<Pattern*> items(patterns_);
  items.push(first);
  while (accept(TK::VerticalBar)) {
    items.push(closed_pattern());
  }
  return make<MatchSequence>(PatternKind::MatchOr, start, items.take(*arena_));
}

}  // namespace portwright::syntax

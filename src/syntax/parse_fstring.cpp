#include <fmt/format.h>

#include "syntax/parser_impl.h"

namespace portwright::syntax {

// FSTRING_START (FSTRING_MIDDLE | replacement_field)* FSTRING_END
void Parser::fstring(Children<Expr*>& pieces, bool is_template) {
  const Deeper deeper(*this);
  next();
  while (!at(TK::FStringEnd)) {
    if (at(TK::FStringMiddle)) {
      pieces.push(fstring_text());
    } else if (at(TK::LeftBrace)) {
      replacement_field(pieces, is_template);
    } else {
      unexpected();
    }
  }
  next();
}

Expr* Parser::fstring_text() {
  const Token& token = next();
  const uint32_t doubled = token.flags & kDoubledBrace ? 1 : 0;
  return text_constant(token, token.begin, token.end - doubled);
}

// '{' (yield | star_expressions) '='? ('!' NAME)? (':' format_spec)? '}'
// With '=', the text up to what follows it goes before the value.
void Parser::replacement_field(Children<Expr*>& pieces, bool is_template) {
  const Deeper deeper(*this);
  const Token& open = next();
  if (at(TK::RightBrace) || at(TK::Colon) || at(TK::Exclamation) ||
      at(TK::Equal)) {
    fail_here(fmt::format(
        "f-string: valid expression required before '{}'", text(*at_)));
  }
  Expr* value = yield_or_star_expressions();
  const uint32_t value_end = at_->begin;
  const bool debug = accept(TK::Equal);
  if (debug) {
    const uint32_t from = open.end;
    const uint32_t to = at_->begin;
    Constant* label = make<Constant>(
        ExprKind::Constant,
        from,
        ConstantKind::Str,
        false,
        int64_t{0},
        0.0,
        without_comments(from, to));
    label->span.end = to;
    pieces.push(label);
  }
  int conversion = -1;
  if (at(TK::Exclamation)) {
    conversion = conversion_letter();
  }
  Expr* spec = nullptr;
  if (at(TK::Colon)) {
    spec = format_spec();
  }
  if (!at(TK::RightBrace)) {
    fail_here(
        spec != nullptr || conversion != -1 || debug
            ? "f-string: expecting '}'"
            : "f-string: expecting '=', or '!', or ':', or '}'");
  }
  next();
  if (debug && conversion == -1 && spec == nullptr) {
    conversion = 'r';
  }
  if (is_template) {
    std::string_view source = without_comments(open.end, value_end);
    const size_t last = source.find_last_not_of(" \t\n\f");
    source = source.substr(0, last + 1);
    pieces.push(make<Interpolation>(
        ExprKind::Interpolation,
        open.begin,
        value,
        Symbol(source),
        conversion,
        spec));
  } else {
    pieces.push(make<FormattedValue>(
        ExprKind::FormattedValue, open.begin, value, conversion, spec));
  }
}

int Parser::conversion_letter() {
  const Token& mark = next();
  if (!at(TK::Name) && !is_keyword(kind())) {
    fail_here(
        "f-string: invalid conversion character: expected 's', 'r', or 'a'");
  }
  if (begin() != mark.end) {
    fail_here(
        "f-string: conversion type must come right after the exclamation mark");
  }
  const std::string_view letter = text(*at_);
  if (letter != "s" && letter != "r" && letter != "a") {
    fail_here(fmt::format(
        "f-string: invalid conversion character '{}': expected 's', 'r', or "
        "'a'",
        letter));
  }
  next();
  return letter[0];
}

// ':' (FSTRING_MIDDLE | replacement_field)*
Expr* Parser::format_spec() {
  const Token& colon = next();
  Children<Expr*> pieces(exprs_);
  while (at(TK::FStringMiddle) || at(TK::LeftBrace)) {
    if (at(TK::FStringMiddle)) {
      pieces.push(fstring_text());
    } else {
      replacement_field(pieces, false);
    }
  }
  return joined(colon.begin, ExprKind::JoinedStr, pieces, false);
}

// Source text [from, to), less the comments in it.
std::string_view Parser::without_comments(uint32_t from, uint32_t to) {
  const std::string_view whole = source_->text().substr(from, to - from);
  if (whole.find('#') == std::string_view::npos) {
    return whole;
  }
  const auto& comments = tokens_.comments;
  auto comment = std::lower_bound(
      comments.begin(),
      comments.end(),
      from,
      [](const Span& span, uint32_t at) { return span.begin < at; });
  std::string out;
  for (; comment != comments.end() && comment->begin < to; ++comment) {
    out.append(source_->text().substr(from, comment->begin - from));
    from = comment->end;
  }
  out.append(source_->text().substr(from, to - from));
  auto* kept = static_cast<char*>(arena_->allocate(out.size(), 1));
  std::copy(out.begin(), out.end(), kept);
  return {kept, out.size()};
}

}  // namespace portwright::syntax

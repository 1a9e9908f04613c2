#include "emit/layout/build.h"

#include <fmt/format.h>

#include "emit/layout/builder.h"

namespace portwright::emit::printing {

using syntax::Token;

namespace {

Kind kind_of(const Token& token) {
  using TK = syntax::TokenKind;
  switch (token.kind) {
    case TK::Name:
      return Kind::Name;
    case TK::KwAsync:
      return Kind::Async;
    case TK::KwAwait:
      return Kind::Await;
    case TK::Number:
      return Kind::Number;
    case TK::String:
    case TK::FStringStart:
      return Kind::String;
    case TK::LeftParen:
      return Kind::LeftParen;
    case TK::RightParen:
      return Kind::RightParen;
    case TK::LeftBracket:
      return Kind::LeftBracket;
    case TK::RightBracket:
      return Kind::RightBracket;
    case TK::LeftBrace:
      return Kind::LeftBrace;
    case TK::RightBrace:
      return Kind::RightBrace;
    case TK::Colon:
      return Kind::Colon;
    case TK::ColonEqual:
      return Kind::ColonEqual;
    case TK::Comma:
      return Kind::Comma;
    case TK::Semicolon:
      return Kind::Semicolon;
    case TK::Dot:
    case TK::Ellipsis:
      return Kind::Dot;
    case TK::Arrow:
      return Kind::Arrow;
    case TK::Equal:
      return Kind::Equal;
    case TK::Tilde:
      return Kind::Tilde;
    case TK::Plus:
      return Kind::Plus;
    case TK::Minus:
      return Kind::Minus;
    case TK::Star:
      return Kind::Star;
    case TK::At:
      return Kind::At;
    case TK::Slash:
      return Kind::Slash;
    case TK::Percent:
      return Kind::Percent;
    case TK::DoubleStar:
      return Kind::DoubleStar;
    case TK::LeftShift:
    case TK::RightShift:
      return Kind::Shift;
    case TK::VerticalBar:
      return Kind::VerticalBar;
    case TK::Caret:
      return Kind::Caret;
    case TK::Ampersand:
      return Kind::Ampersand;
    case TK::DoubleSlash:
      return Kind::DoubleSlash;
    default:
      if (token.kind >= TK::PlusEqual && token.kind <= TK::DoubleSlashEqual) {
        return Kind::AugmentedEqual;
      }
      if (token.kind >= TK::EqualEqual && token.kind <= TK::GreaterEqual) {
        return Kind::Comparator;
      }
      return Kind::Name;  // keywords
  }
}

}  // namespace

Builder::Builder(const syntax::Tree& parsed)
    : source_(*parsed.source), parsed_(parsed) {
  std::vector<diagnostics::Diagnostic> known;
  lexed_ = syntax::lex(source_, known);
  match_brackets();
}

void Builder::match_brackets() {
  match_.resize(lexed_.tokens.size());
  std::vector<uint32_t> open;
  for (uint32_t i = 0; i < lexed_.tokens.size(); ++i) {
    switch (lexed_.tokens[i].kind) {
      case TK::LeftParen:
      case TK::LeftBracket:
      case TK::LeftBrace:
        open.push_back(i);
        break;
      case TK::RightParen:
      case TK::RightBracket:
      case TK::RightBrace:
        if (!open.empty()) {
          match_[i] = open.back();
          match_[open.back()] = i;
          open.pop_back();
        }
        break;
      default:
        break;
    }
  }
}

bool Builder::bracketed(const base::Span& span) const {
  return token().begin == span.begin && match_[at_] > at_ &&
         lexed_.tokens[match_[at_]].end == span.end;
}

Node* Builder::take() {
  const Token& first = token();
  size_t last = at_;
  if (first.kind == TK::FStringStart) {
    for (int depth = 1; depth > 0;) {
      ++last;
      const TK kind = lexed_.tokens[last].kind;
      depth += (kind == TK::FStringStart) - (kind == TK::FStringEnd);
    }
  }
  const uint32_t end = lexed_.tokens[last].end;
  Node* out = tree_->leaf(
      kind_of(first), source_.text().substr(first.begin, end - first.begin));
  collect_comments(out, first.begin, 0);
  const uint32_t here = line(first.begin);
  out->blank_lines =
      here > last_line_ + 1 ? static_cast<int>(here - last_line_ - 1) : 0;
  out->line = here;
  last_line_ = line(end > first.begin ? end - 1 : end);
  at_ = last + 1;
  while (comment_ < lexed_.comments.size() &&
         lexed_.comments[comment_].begin < end) {
    ++comment_;
  }
  return out;
}

bool Builder::accept(TK kind, Nodes& out) {
  if (!at(kind)) {
    return false;
  }
  out.push_back(take());
  return true;
}

Node* Builder::newline() {
  Node* out = tree_->leaf(Kind::Newline, "");
  while (comment_ < lexed_.comments.size() &&
         line(lexed_.comments[comment_].begin) == last_line_) {
    out->comments.push_back(
        {lexed_.comments[comment_++].text(), 0, /*trailing=*/true});
  }
  if (at(TK::Newline)) {
    ++at_;
  }
  return out;
}

void Builder::collect_comments(
    Node* leaf,
    uint32_t until,
    uint32_t least_column) {
  while (comment_ < lexed_.comments.size()) {
    const base::Span& comment = lexed_.comments[comment_];
    if (comment.begin >= until || column(comment.begin) < least_column) {
      return;
    }
    const uint32_t here = line(comment.begin);
    leaf->comments.push_back(
        {comment.text(),
         here > last_line_ + 1 ? static_cast<int>(here - last_line_ - 1) : 0,
         here == last_line_});
    last_line_ = here;
    ++comment_;
  }
}

base::Result<Module> Builder::run() {
  try {
    Nodes body;
    statements(parsed_.body, body);
    Node* end = tree_->leaf(Kind::EndMarker, "");
    collect_comments(end, UINT32_MAX, 0);
    body.push_back(end);
    if (body.size() == 1) {
      body.insert(body.begin(), tree_->leaf(Kind::Newline, ""));
    }
    Node* root = tree_->node(Kind::File, body);
    return Module{std::move(tree_), root};
  } catch (const Unserved& at) {
    return base::fail(
        fmt::format("{}: layout does not serve this", to_string(at.span)),
        "use a statement or an expression that it does");
  }
}

base::Result<Module> build(const syntax::Tree& parsed) {
  return Builder(parsed).run();
}

}  // namespace portwright::emit::printing

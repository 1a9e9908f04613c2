#include "syntax/parser.h"

#include <fmt/format.h>

#include "syntax/parser_impl.h"
#include "syntax/source_text.h"

namespace portwright::syntax {

using diagnostics::Diagnostic;
using diagnostics::Kind;

Parser::Parser(
    std::shared_ptr<const base::SourceFile> source,
    LexResult tokens,
    std::vector<Diagnostic>& diagnostics)
    : source_(std::move(source)),
      arena_(std::make_shared<base::Arena>()),
      tokens_(std::move(tokens)),
      names_(tokens_.names),
      diagnostics_(diagnostics),
      at_(tokens_.tokens.data()) {}

Tree Parser::file() {
  Children<Stmt*> body(stmts_);
  statements(body, TK::EndOfFile);
  return {source_, arena_, body.take(*arena_), std::move(tokens_.comments)};
}

void Parser::expect(TK kind) {
  if (!accept(kind)) {
    fail_here(fmt::format("expected '{}'", spelling(kind)));
  }
}

void Parser::expect_close(TK kind, const Token& open) {
  if (accept(kind)) {
    return;
  }
  if (at(TK::Newline) || at(TK::EndOfFile)) {
    fail(span(open), fmt::format("'{}' was never closed", text(open)));
  }
  if (at_expression()) {
    fail_here("invalid syntax", "is a comma missing before this?");
  }
  unexpected();
}

Symbol Parser::expect_name(std::string_view what) {
  if (at(TK::Name)) {
    return symbol(next());
  }
  if (is_keyword(kind())) {
    fail_here(fmt::format(
        "expected {}, found the keyword '{}'", what, spelling(kind())));
  }
  fail_here(fmt::format("expected {}", what));
}

void Parser::fail(Span span, std::string message, std::string hint) {
  if (attempts_ == 0 && diagnostics_.size() < kMaxDiagnostics &&
      !reported_ahead()) {
    diagnostics_.push_back(
        {Kind::SyntaxError, std::move(message), span, std::move(hint)});
  }
  throw Fault{};
}

// Whether the lexer has reported the rest of this logical line; what the parser
// finds before that is mostly its consequence.
bool Parser::reported_ahead() const {
  const Token* token = at_;
  while (token->kind != TK::Newline && token->kind != TK::EndOfFile &&
         token->kind != TK::Error) {
    ++token;
  }
  return token->kind == TK::Error;
}

void Parser::fail_here(std::string message, std::string hint) {
  if (at(TK::Error)) {
    throw Fault{};
  }
  fail(span(*at_), std::move(message), std::move(hint));
}

void Parser::unexpected() {
  switch (kind()) {
    case TK::Indent:
      fail_here("unexpected indent");
    case TK::Dedent:
    case TK::Newline:
      fail_here("invalid syntax", "the line ends too early");
    case TK::EndOfFile:
      fail_here("unexpected end of file");
    default:
      fail_here("invalid syntax");
  }
}

void Parser::too_deep() {
  if (attempts_ == 0) {
    diagnostics_.push_back(
        {Kind::LimitExceeded,
         fmt::format("source is nested more than {} levels deep", kMaxDepth),
         span(*at_)});
  }
  throw Fault{};
}

ParseResult parse_module(std::string path, std::string bytes) {
  ParseResult result;
  auto source =
      decode_source(std::move(path), std::move(bytes), result.diagnostics);
  if (!result.diagnostics.empty()) {
    result.tree = {std::move(source), std::make_shared<base::Arena>(), {}, {}};
    return result;
  }
  LexResult tokens = lex(*source, result.diagnostics);
  result.tree =
      Parser(std::move(source), std::move(tokens), result.diagnostics).file();
  std::stable_sort(
      result.diagnostics.begin(),
      result.diagnostics.end(),
      [](const Diagnostic& a, const Diagnostic& b) {
        return a.span.begin < b.span.begin;
      });
  return result;
}

}  // namespace portwright::syntax

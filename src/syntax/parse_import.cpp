#include <fmt/format.h>

#include "syntax/parser_impl.h"

namespace portwright::syntax {

// NAME ('.' NAME)*
Symbol Parser::dotted_name() {
  const Symbol first = expect_name("a module name");
  if (!at(TK::Dot)) {
    return first;
  }
  std::string name = first.str();
  while (accept(TK::Dot)) {
    name += '.';
    name += expect_name("a module name").str();
  }
  return Symbol(name);
}

// ('as' NAME)?
Symbol Parser::as_name() {
  return accept(TK::KwAs) ? expect_name("a name after 'as'") : Symbol();
}

// 'import' dotted_name ('as' NAME)? (',' ...)*
Stmt* Parser::import_statement() {
  const uint32_t start = begin();
  next();
  Children<Alias> names(aliases_);
  do {
    const uint32_t from = begin();
    const Symbol name = dotted_name();
    const Symbol alias = as_name();
    names.push({name, alias, span(from)});
  } while (accept(TK::Comma));
  if (at(TK::KwFrom)) {
    fail(
        {source_.get(), start, at_->end},
        "'from' cannot follow 'import'",
        "write 'from module import name'");
  }
  return make<Import>(StmtKind::Import, start, names.take(*arena_));
}

// 'from' '.'* dotted_name? 'import' ('*' | names | '(' names ','? ')')
Stmt* Parser::from_statement() {
  const uint32_t start = begin();
  next();
  int level = 0;
  for (; at(TK::Dot) || at(TK::Ellipsis); next()) {
    level += at(TK::Dot) ? 1 : 3;
  }
  const Symbol module =
      level > 0 && at(TK::KwImport) ? Symbol() : dotted_name();
  expect(TK::KwImport);
  const Seq<Alias> names = imported_names();
  return make<ImportFrom>(StmtKind::ImportFrom, start, module, names, level);
}

Seq<Alias> Parser::imported_names() {
  static const Symbol star("*");
  Children<Alias> names(aliases_);
  if (at(TK::Star)) {
    const Token& token = next();
    names.push({star, Symbol(), span(token)});
    return names.take(*arena_);
  }
  const Token& open = *at_;
  const bool wrapped = accept(TK::LeftParen);
  if (at(TK::Newline)) {
    fail_here("expected one or more names after 'import'");
  }
  for (;;) {
    const uint32_t from = begin();
    const Symbol name = expect_name("a name to import");
    const Symbol alias = as_name();
    names.push({name, alias, span(from)});
    if (!accept(TK::Comma)) {
      break;
    }
    if (wrapped && at(TK::RightParen)) {
      break;
    }
    if (!wrapped && at(TK::Newline)) {
      fail(
          span(at_[-1]),
          "trailing comma not allowed without surrounding parentheses");
    }
  }
  if (wrapped) {
    expect_close(TK::RightParen, open);
  }
  return names.take(*arena_);
}

}  // namespace portwright::syntax

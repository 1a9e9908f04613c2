#include <fmt/format.h>

#include "syntax/parser_impl.h"

namespace portwright::syntax {

// Statements up to `end`, which is not consumed. A statement at fault is left
// out, and the next logical line is read as a new one.
void Parser::statements(Children<Stmt*>& out, TK end) {
  while (!at(end) && !at(TK::EndOfFile)) {
    const Token* start = at_;
    const size_t depth = depth_;
    try {
      statement(out);
    } catch (const Fault&) {
      if (attempts_ > 0) {
        throw;
      }
      depth_ = static_cast<int>(depth);
      recover(start);
    }
  }
}

// Skips to the next logical line. Blocks that hung on the faulty line are read
// for their own faults, and dropped.
void Parser::recover(const Token* start) {
  if (!at(TK::Indent)) {
    if (at_ == start && !at(TK::Newline)) {
      ++at_;
    }
    skip_line();
  }
  while (at(TK::Indent)) {
    ++at_;
    Children<Stmt*> dropped(stmts_);
    statements(dropped, TK::Dedent);
    accept(TK::Dedent);
    if (at(TK::KwElse) || at(TK::KwElif) || at(TK::KwExcept) ||
        at(TK::KwFinally)) {
      skip_line();
    }
  }
}

void Parser::skip_line() {
  while (!at(TK::Newline) && !at(TK::EndOfFile)) {
    ++at_;
  }
  end_line();
}

void Parser::statement(Children<Stmt*>& out) {
  switch (kind()) {
    case TK::KwDef:
    case TK::KwClass:
    case TK::At:
    case TK::KwIf:
    case TK::KwFor:
    case TK::KwWhile:
    case TK::KwTry:
    case TK::KwWith:
    case TK::KwAsync:
      return out.push(compound_statement());
    case TK::Name:
      if (symbol(*at_) == match_word_) {
        if (Stmt* match = match_statement()) {
          return out.push(match);
        }
      }
      break;
    default:
      break;
  }
  simple_statements(out);
}

// simple_statement (';' simple_statement)* ';'? NEWLINE
void Parser::simple_statements(Children<Stmt*>& out) {
  do {
    out.push(simple_statement());
  } while (accept(TK::Semicolon) && !at(TK::Newline));
  if (end_line()) {
    return;
  }
  if (at(TK::Colon) && out.back()->kind == StmtKind::Expr) {
    fail_here(
        "invalid syntax", "is a keyword missing at the start of the line?");
  }
  unexpected();
}

Stmt* Parser::simple_statement() {
  const uint32_t start = begin();
  switch (kind()) {
    case TK::KwPass:
      next();
      return make<Stmt>(StmtKind::Pass, start);
    case TK::KwBreak:
      next();
      return make<Stmt>(StmtKind::Break, start);
    case TK::KwContinue:
      next();
      return make<Stmt>(StmtKind::Continue, start);
    case TK::KwReturn: {
      next();
      Expr* value =
          at_expression() || at(TK::Star) ? star_expressions() : nullptr;
      return make<Return>(StmtKind::Return, start, value);
    }
    case TK::KwRaise:
      return raise_statement();
    case TK::KwAssert:
      return assert_statement();
    case TK::KwDel:
      return delete_statement();
    case TK::KwGlobal:
      return scope_statement(StmtKind::Global);
    case TK::KwNonlocal:
      return scope_statement(StmtKind::Nonlocal);
    case TK::KwImport:
      return import_statement();
    case TK::KwFrom:
      return from_statement();
    case TK::Name:
      if (symbol(*at_) == type_word_ && kind(1) == TK::Name &&
          (kind(2) == TK::Equal || kind(2) == TK::LeftBracket)) {
        return type_alias();
      }
      return expression_statement();
    default:
      return expression_statement();
  }
}

// assignment | annotated assignment | augmented assignment | star_expressions
Stmt* Parser::expression_statement() {
  const Token& first = *at_;
  const uint32_t start = first.begin;
  Expr* value = yield_or_star_expressions();
  if (at(TK::Colon)) {
    const bool simple = first.kind == TK::Name && &first + 1 == at_;
    return annotated(start, value, simple);
  }
  if (at(TK::Equal)) {
    Children<Expr*> targets(exprs_);
    while (accept(TK::Equal)) {
      if (value->kind == ExprKind::Yield ||
          value->kind == ExprKind::YieldFrom) {
        fail(value->span, "assignment to yield expression not possible");
      }
      assign_target(
          value,
          value->kind == ExprKind::Tuple || value->kind == ExprKind::List
              ? ""
              : "use '==' to compare");
      targets.push(value);
      value = yield_or_star_expressions();
    }
    return make<Assign>(StmtKind::Assign, start, targets.take(*arena_), value);
  }
  if (kind() >= TK::PlusEqual && kind() <= TK::DoubleSlashEqual) {
    single_target(value);
    const auto op = static_cast<BinaryOperator>(
        static_cast<int>(kind()) - static_cast<int>(TK::PlusEqual));
    next();
    Expr* operand = yield_or_star_expressions();
    return make<AugAssign>(StmtKind::AugAssign, start, value, op, operand);
  }
  if (at_expression() && value->kind == ExprKind::Name && at_ == &first + 1) {
    const std::string_view name = text(first);
    if (name == "print" || name == "exec") {
      fail(
          span(first),
          fmt::format("missing parentheses in call to '{}'", name),
          fmt::format("write {}(...)", name));
    }
  }
  return make<ExprStmt>(StmtKind::Expr, start, value);
}

// target ':' expression ('=' (yield | star_expressions))?
Stmt* Parser::annotated(uint32_t start, Expr* target, bool simple) {
  switch (target->kind) {
    case ExprKind::Name:
    case ExprKind::Attribute:
    case ExprKind::Subscript:
      break;
    case ExprKind::Tuple:
    case ExprKind::List:
      fail(
          target->span,
          fmt::format(
              "only single target (not {}) can be annotated",
              target->kind == ExprKind::Tuple ? "tuple" : "list"));
    default:
      if (kind(1) == TK::Newline) {
        unexpected();
      }
      fail(target->span, "illegal target for annotation");
  }
  if (kind(1) == TK::Newline) {
    fail_here(
        "invalid syntax", "is a keyword missing at the start of the line?");
  }
  assign_target(target);
  next();
  Expr* annotation = expression();
  Expr* value = accept(TK::Equal) ? yield_or_star_expressions() : nullptr;
  return make<AnnAssign>(
      StmtKind::AnnAssign, start, target, annotation, value, simple);
}

// 'type' NAME type_parameters? '=' expression
Stmt* Parser::type_alias() {
  const uint32_t start = begin();
  next();
  const Token& name = next();
  Expr* target =
      make<Name>(ExprKind::Name, name.begin, symbol(name), ExprContext::Store);
  const Seq<TypeParam> params = type_parameters();
  expect(TK::Equal);
  Expr* value = expression();
  return make<TypeAlias>(StmtKind::TypeAlias, start, target, params, value);
}

// 'del' target (',' target)* ','?
Stmt* Parser::delete_statement() {
  const uint32_t start = begin();
  next();
  Children<Expr*> targets(exprs_);
  do {
    targets.push(star_expression());
    delete_target(targets.back());
  } while (accept(TK::Comma) && !at(TK::Semicolon) && !at(TK::Newline));
  return make<Delete>(StmtKind::Delete, start, targets.take(*arena_));
}

// 'raise' (expression ('from' expression)?)?
Stmt* Parser::raise_statement() {
  const uint32_t start = begin();
  next();
  Expr* exc = at_expression() ? expression() : nullptr;
  Expr* cause = exc != nullptr && accept(TK::KwFrom) ? expression() : nullptr;
  return make<Raise>(StmtKind::Raise, start, exc, cause);
}

// 'assert' expression (',' expression)?
Stmt* Parser::assert_statement() {
  const uint32_t start = begin();
  next();
  Expr* test = expression();
  Expr* message = accept(TK::Comma) ? expression() : nullptr;
  return make<Assert>(StmtKind::Assert, start, test, message);
}

Stmt* Parser::scope_statement(StmtKind kind) {
  const uint32_t start = begin();
  next();
  Children<Symbol> names(symbols_);
  do {
    names.push(expect_name("a name"));
  } while (accept(TK::Comma));
  return make<ScopeDecl>(kind, start, names.take(*arena_));
}

}  // namespace portwright::syntax

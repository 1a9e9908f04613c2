#include "emit/layout/builder.h"

namespace portwright::emit::printing {

using namespace syntax;

void Builder::statements(Stmts body, Nodes& out) {
  for (size_t next = 0; next < body.size();) {
    switch (body[next]->kind) {
      case StmtKind::FunctionDef:
      case StmtKind::AsyncFunctionDef:
      case StmtKind::ClassDef:
      case StmtKind::If:
      case StmtKind::While:
      case StmtKind::For:
      case StmtKind::AsyncFor:
      case StmtKind::With:
      case StmtKind::AsyncWith:
      case StmtKind::Try:
      case StmtKind::TryStar:
        out.push_back(compound(*body[next++]));
        break;
      case StmtKind::Match:
      case StmtKind::TypeAlias:
        throw Unserved{body[next]->span};
      default:
        out.push_back(simple_line(body, next));
    }
  }
}

Node* Builder::simple_line(Stmts body, size_t& next) {
  Nodes out{small(*body[next++])};
  while (at(TK::Semicolon)) {
    out.push_back(take());
    if (!at(TK::Newline) && next < body.size()) {
      out.push_back(small(*body[next++]));
    }
  }
  out.push_back(newline());
  return tree_->node(Kind::SimpleStmt, out);
}

Node* Builder::small(const Stmt& stmt) {
  Nodes out;
  switch (stmt.kind) {
    case StmtKind::Expr:
      return expr(*as<ExprStmt>(stmt).value);
    case StmtKind::Assign: {
      const auto& assign = as<Assign>(stmt);
      for (Expr* target : assign.targets) {
        out.push_back(expr(*target));
        out.push_back(take());
      }
      out.push_back(expr(*assign.value));
      return tree_->node(Kind::ExprStmt, out);
    }
    case StmtKind::AugAssign:
      out.push_back(expr(*as<AugAssign>(stmt).target));
      out.push_back(take());
      out.push_back(expr(*as<AugAssign>(stmt).value));
      return tree_->node(Kind::ExprStmt, out);
    case StmtKind::AnnAssign: {
      const auto& assign = as<AnnAssign>(stmt);
      Node* target = expr(*assign.target);
      out.push_back(take());
      out.push_back(expr(*assign.annotation));
      if (assign.value) {
        out.push_back(take());
        out.push_back(expr(*assign.value));
      }
      return tree_->node(
          Kind::ExprStmt, {target, tree_->node(Kind::Annotation, out)});
    }
    case StmtKind::Return:
      out.push_back(take());
      if (const Expr* value = as<Return>(stmt).value) {
        out.push_back(expr(*value));
      }
      return tree_->node(Kind::ReturnStmt, out);
    case StmtKind::Delete: {
      out.push_back(take());
      Nodes targets;
      for (Expr* target : as<Delete>(stmt).targets) {
        targets.push_back(expr(*target));
        accept(TK::Comma, targets);
      }
      out.push_back(tree_->node(Kind::TargetTuple, targets));
      return tree_->node(Kind::DelStmt, out);
    }
    case StmtKind::Raise:
      out.push_back(take());
      if (const Expr* raised = as<Raise>(stmt).exc) {
        out.push_back(expr(*raised));
      }
      if (const Expr* cause = as<Raise>(stmt).cause) {
        out.push_back(take());
        out.push_back(expr(*cause));
      }
      return tree_->node(Kind::RaiseStmt, out);
    case StmtKind::Assert:
      out.push_back(take());
      out.push_back(expr(*as<Assert>(stmt).test));
      if (const Expr* message = as<Assert>(stmt).msg) {
        out.push_back(take());
        out.push_back(expr(*message));
      }
      return tree_->node(Kind::AssertStmt, out);
    case StmtKind::Import:
      return import_name();
    case StmtKind::ImportFrom:
      return import_from();
    case StmtKind::Global:
    case StmtKind::Nonlocal:
      return names_until_newline(Kind::GlobalStmt);
    case StmtKind::Pass:
    case StmtKind::Break:
    case StmtKind::Continue:
      return take();
    default:
      throw Unserved{stmt.span};
  }
}

Node* Builder::names_until_newline(Kind kind) {
  Nodes out;
  while (!at(TK::Newline) && !at(TK::Semicolon)) {
    out.push_back(take());
  }
  return tree_->node(kind, out);
}

Node* Builder::dotted_name() {
  Nodes out{take()};
  while (at(TK::Dot)) {
    out.push_back(take());
    out.push_back(take());
  }
  return tree_->node(Kind::DottedName, out);
}

Node* Builder::import_name() {
  Node* word = take();
  Nodes names;
  do {
    Nodes one{dotted_name()};
    if (accept(TK::KwAs, one)) {
      one.push_back(take());
    }
    names.push_back(tree_->node(Kind::DottedAsName, one));
  } while (accept(TK::Comma, names));
  return tree_->node(
      Kind::ImportName, {word, tree_->node(Kind::DottedAsNames, names)});
}

Node* Builder::import_from() {
  Nodes out{take()};
  while (at(TK::Dot) || at(TK::Ellipsis)) {
    const int dots = at(TK::Dot) ? 1 : 3;
    Node* first = take();
    first->value.assign(1, '.');
    out.push_back(first);
    for (int i = 1; i < dots; ++i) {
      out.push_back(tree_->leaf(Kind::Dot, "."));
    }
  }
  if (!at(TK::KwImport)) {
    out.push_back(dotted_name());
  }
  out.push_back(take());
  if (at(TK::Star)) {
    out.push_back(take());
    return tree_->node(Kind::ImportFrom, out);
  }
  const bool grouped = accept(TK::LeftParen, out);
  Nodes names;
  while (at(TK::Name)) {
    Nodes one{take()};
    if (accept(TK::KwAs, one)) {
      one.push_back(take());
    }
    names.push_back(tree_->node(Kind::ImportAsName, one));
    accept(TK::Comma, names);
  }
  out.push_back(tree_->node(Kind::ImportAsNames, names));
  if (grouped) {
    out.push_back(take());
  }
  return tree_->node(Kind::ImportFrom, out);
}

Node* Builder::compound(const Stmt& stmt) {
  switch (stmt.kind) {
    case StmtKind::FunctionDef:
      return decorated(
          as<FunctionDef>(stmt).decorator_list, &Builder::function, stmt);
    case StmtKind::AsyncFunctionDef:
      return decorated(
          as<FunctionDef>(stmt).decorator_list, &Builder::function, stmt);
    case StmtKind::ClassDef:
      return decorated(
          as<ClassDef>(stmt).decorator_list, &Builder::class_definition, stmt);
    case StmtKind::If:
      return if_statement(stmt);
    case StmtKind::While:
      return while_statement(stmt);
    case StmtKind::For:
    case StmtKind::AsyncFor:
      return async(&Builder::for_statement, stmt);
    case StmtKind::With:
    case StmtKind::AsyncWith:
      return async(&Builder::with_statement, stmt);
    default:
      return try_statement(stmt);
  }
}

Node* Builder::async(Node* (Builder::*what)(const Stmt&), const Stmt& stmt) {
  if (!at(TK::KwAsync)) {
    return (this->*what)(stmt);
  }
  Node* word = take();
  return tree_->node(Kind::AsyncStmt, {word, (this->*what)(stmt)});
}

Node* Builder::decorated(
    Exprs decorators,
    Node* (Builder::*what)(const Stmt&),
    const Stmt& stmt) {
  Nodes lines;
  for (Expr* decorator : decorators) {
    Nodes one{take()};
    one.push_back(expr(*decorator));
    one.push_back(newline());
    lines.push_back(tree_->node(Kind::Decorator, one));
  }
  if (lines.empty()) {
    return async(what, stmt);
  }
  Node* above = tree_->node(Kind::Decorators, lines);
  return tree_->node(Kind::Decorated, {above, async(what, stmt)});
}

Node* Builder::function(const Stmt& stmt) {
  const auto& def = as<FunctionDef>(stmt);
  if (!def.type_params.empty()) {
    throw Unserved{stmt.span};
  }
  Nodes out{take()};
  out.push_back(take());
  Nodes signature{take()};
  if (!at(TK::RightParen)) {
    signature.push_back(
        parameters(*def.args, Kind::ParameterList, TK::RightParen));
  }
  signature.push_back(take());
  out.push_back(tree_->node(Kind::Parameters, signature));
  if (def.returns) {
    out.push_back(take());
    out.push_back(expr(*def.returns));
  }
  block(def.body, out);
  return tree_->node(Kind::FunctionDef, out);
}

Node* Builder::class_definition(const Stmt& stmt) {
  const auto& def = as<ClassDef>(stmt);
  if (!def.type_params.empty()) {
    throw Unserved{stmt.span};
  }
  Nodes out{take()};
  out.push_back(take());
  if (accept(TK::LeftParen, out)) {
    arguments(def.bases, def.keywords, TK::RightParen, out);
    out.push_back(take());
  }
  block(def.body, out);
  return tree_->node(Kind::ClassDef, out);
}

// ':' and the statements behind it.
void Builder::block(Stmts body, Nodes& out) {
  out.push_back(take());
  out.push_back(suite(body));
}

void Builder::else_block(Stmts body, Nodes& out) {
  if (accept(TK::KwElse, out)) {
    block(body, out);
  }
}

Node* Builder::suite(Stmts body) {
  if (!at(TK::Newline)) {
    size_t next = 0;
    return simple_line(body, next);
  }
  Nodes out{newline()};
  ++at_;  // the indent
  const uint32_t indent = column(token().begin);
  statements(body, out);
  Node* dedent = tree_->leaf(Kind::Dedent, "");
  size_t ahead = at_;
  while (lexed_.tokens[ahead].kind == TK::Dedent) {
    ++ahead;
  }
  collect_comments(dedent, lexed_.tokens[ahead].begin, indent);
  ++at_;
  out.push_back(dedent);
  return tree_->node(Kind::Suite, out);
}

Node* Builder::if_statement(const Stmt& stmt) {
  Nodes out;
  const auto* part = &as<Conditional>(stmt);
  while (true) {
    out.push_back(take());
    out.push_back(expr(*part->test));
    block(part->body, out);
    if (!at(TK::KwElif)) {
      break;
    }
    part = &as<Conditional>(*part->orelse[0]);
  }
  else_block(part->orelse, out);
  return tree_->node(Kind::IfStmt, out);
}

Node* Builder::while_statement(const Stmt& stmt) {
  const auto& loop = as<Conditional>(stmt);
  Nodes out{take()};
  out.push_back(expr(*loop.test));
  block(loop.body, out);
  else_block(loop.orelse, out);
  return tree_->node(Kind::WhileStmt, out);
}

Node* Builder::for_statement(const Stmt& stmt) {
  const auto& loop = as<For>(stmt);
  Nodes out{take()};
  out.push_back(expr(*loop.target, Kind::TargetTuple));
  out.push_back(take());
  out.push_back(expr(*loop.iter));
  block(loop.body, out);
  else_block(loop.orelse, out);
  return tree_->node(Kind::ForStmt, out);
}

Node* Builder::with_item(const WithItem& item) {
  Nodes out{expr(*item.context_expr)};
  if (accept(TK::KwAs, out)) {
    out.push_back(expr(*item.optional_vars));
  }
  return tree_->node(Kind::AsExpr, out);
}

Node* Builder::with_statement(const Stmt& stmt) {
  const auto& with = as<With>(stmt);
  Nodes out{take()};
  // Parentheses around all items end at the colon, and hold an `as` or a comma.
  const bool grouped = at(TK::LeftParen) &&
                       lexed_.tokens[match_[at_] + 1].kind == TK::Colon &&
                       (with.items.size() > 1 || with.items[0].optional_vars);
  Nodes items;
  Node* open = grouped ? take() : nullptr;
  for (const WithItem& item : with.items) {
    items.push_back(with_item(item));
    accept(TK::Comma, items);
  }
  if (grouped) {
    Node* inner = tree_->node(Kind::GroupItems, items);
    out.push_back(tree_->node(Kind::Atom, {open, inner, take()}));
  } else {
    out.insert(out.end(), items.begin(), items.end());
  }
  block(with.body, out);
  return tree_->node(Kind::WithStmt, out);
}

Node* Builder::try_statement(const Stmt& stmt) {
  const auto& attempt = as<Try>(stmt);
  Nodes out{take()};
  block(attempt.body, out);
  for (const ExceptHandler& handler : attempt.handlers) {
    Nodes clause{take()};
    accept(TK::Star, clause);
    if (handler.type) {
      clause.push_back(expr(*handler.type));
    }
    if (accept(TK::KwAs, clause)) {
      clause.push_back(take());
    }
    out.push_back(tree_->node(Kind::ExceptClause, clause));
    block(handler.body, out);
  }
  else_block(attempt.orelse, out);
  if (accept(TK::KwFinally, out)) {
    block(attempt.finalbody, out);
  }
  return tree_->node(Kind::TryStmt, out);
}

}  // namespace portwright::emit::printing

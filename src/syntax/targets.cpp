#include <fmt/format.h>

#include "syntax/parser_impl.h"

namespace portwright::syntax {

namespace {

// How a message names an expression.
std::string_view describe(const Expr& expr) {
  switch (expr.kind) {
    case ExprKind::Attribute:
      return "attribute";
    case ExprKind::Subscript:
      return "subscript";
    case ExprKind::Starred:
      return "starred";
    case ExprKind::Name:
      return "name";
    case ExprKind::List:
      return "list";
    case ExprKind::Tuple:
      return "tuple";
    case ExprKind::Lambda:
      return "lambda";
    case ExprKind::Call:
      return "function call";
    case ExprKind::BoolOp:
    case ExprKind::BinOp:
    case ExprKind::UnaryOp:
      return "expression";
    case ExprKind::GeneratorExp:
      return "generator expression";
    case ExprKind::Yield:
    case ExprKind::YieldFrom:
      return "yield expression";
    case ExprKind::Await:
      return "await expression";
    case ExprKind::ListComp:
      return "list comprehension";
    case ExprKind::SetComp:
      return "set comprehension";
    case ExprKind::DictComp:
      return "dict comprehension";
    case ExprKind::Dict:
      return "dict literal";
    case ExprKind::Set:
      return "set display";
    case ExprKind::JoinedStr:
    case ExprKind::FormattedValue:
      return "f-string expression";
    case ExprKind::TemplateStr:
    case ExprKind::Interpolation:
      return "t-string expression";
    case ExprKind::Compare:
      return "comparison";
    case ExprKind::IfExp:
      return "conditional expression";
    case ExprKind::NamedExpr:
      return "named expression";
    case ExprKind::Slice:
      return "slice";
    case ExprKind::Constant:
      break;
  }
  switch (as<Constant>(expr).value_kind) {
    case ConstantKind::None:
      return "None";
    case ConstantKind::True:
      return "True";
    case ConstantKind::False:
      return "False";
    case ConstantKind::Ellipsis:
      return "ellipsis";
    default:
      return "literal";
  }
}

}  // namespace

void Parser::refuse_target(
    const Expr& target,
    std::string_view verb,
    std::string_view hint) {
  fail(
      target.span,
      fmt::format("cannot {} {}", verb, describe(target)),
      std::string(hint));
}

// Makes an expression the target of an assignment, or refuses it.
void Parser::assign_target(Expr* target, std::string_view hint) {
  switch (target->kind) {
    case ExprKind::Name:
      static_cast<Name*>(target)->ctx = ExprContext::Store;
      return;
    case ExprKind::Attribute:
      static_cast<Attribute*>(target)->ctx = ExprContext::Store;
      return;
    case ExprKind::Subscript:
      static_cast<Subscript*>(target)->ctx = ExprContext::Store;
      return;
    case ExprKind::Starred: {
      auto* starred = static_cast<Starred*>(target);
      starred->ctx = ExprContext::Store;
      return assign_target(starred->value, hint);
    }
    case ExprKind::Tuple:
    case ExprKind::List: {
      auto* sequence = static_cast<Sequence*>(target);
      sequence->ctx = ExprContext::Store;
      for (Expr* item : sequence->elts) {
        assign_target(item, hint);
      }
      return;
    }
    default:
      refuse_target(*target, "assign to", hint);
  }
}

void Parser::delete_target(Expr* target) {
  switch (target->kind) {
    case ExprKind::Name:
      static_cast<Name*>(target)->ctx = ExprContext::Del;
      return;
    case ExprKind::Attribute:
      static_cast<Attribute*>(target)->ctx = ExprContext::Del;
      return;
    case ExprKind::Subscript:
      static_cast<Subscript*>(target)->ctx = ExprContext::Del;
      return;
    case ExprKind::Tuple:
    case ExprKind::List: {
      auto* sequence = static_cast<Sequence*>(target);
      sequence->ctx = ExprContext::Del;
      for (Expr* item : sequence->elts) {
        delete_target(item);
      }
      return;
    }
    default:
      refuse_target(*target, "delete", "");
  }
}

// A name, an attribute or a subscript.
void Parser::single_target(Expr* target) {
  switch (target->kind) {
    case ExprKind::Name:
    case ExprKind::Attribute:
    case ExprKind::Subscript:
      return assign_target(target);
    default:
      fail(
          target->span,
          fmt::format(
              "'{}' is an illegal expression for augmented assignment",
              describe(*target)));
  }
}

// The targets of a `for`: no comparison, so that `in` ends them.
Expr* Parser::target_list() {
  const uint32_t start = begin();
  const auto target = [this]() -> Expr* {
    const uint32_t from = begin();
    if (!accept(TK::Star)) {
      return bitwise_or();
    }
    Expr* value = bitwise_or();
    return make<Starred>(ExprKind::Starred, from, value, ExprContext::Load);
  };
  Expr* first = target();
  if (at(TK::Comma)) {
    Children<Expr*> items(exprs_);
    items.push(first);
    while (accept(TK::Comma) && !at(TK::KwIn)) {
      items.push(target());
    }
    first = make<Sequence>(
        ExprKind::Tuple, start, items.take(*arena_), ExprContext::Load);
  }
  assign_target(first);
  return first;
}

}  // namespace portwright::syntax

#include "emit/copies.h"

#include <algorithm>
#include <map>

#include "emit/config_text.h"

namespace portwright::emit {

namespace ast = syntax;
using ast::ExprKind;

namespace {

/// An expression whose value nothing else holds: what MLX computes.
bool makes_array(const ast::Expr& e) {
  return e.kind == ExprKind::BinOp ||
         (e.kind == ExprKind::Call && e.span.text().starts_with("mx."));
}

/// Made in this block, and read for its elements alone before line `at`.
bool is_own(const Lines& lines, size_t at, const std::string& name) {
  for (size_t i = at; i-- > 0;) {
    if (count_of({lines[i]}, name) == 0) {
      continue;
    }
    const auto made = assignment(lines[i]);
    if (!made || made->targets.size() != 1) {
      return false;
    }
    const std::string& target = made->targets.front();
    if (target.starts_with(name + "[")) {
      continue;  // given elements
    }
    if (!makes_array(*made->value)) {
      return false;
    }
    if (target == name) {
      return leading(lines[i]) == leading(lines[at]);
    }
    if (!is_name(target)) {
      return false;
    }
  }
  return false;
}

/// "y" of `mx.array(y)`.
std::string copied(const ast::Expr& e) {
  const ast::Call* call = call_to(e, "mx.array");
  return call && call->args.size() == 1 && call->keywords.empty() &&
                 call->args.front()->kind == ExprKind::Name
             ? std::string(call->args.front()->span.text())
             : "";
}

/// "y = a[i] * b", "a[i] = y": "a[i] *= b".
void change_in_place(Lines& lines) {
  static const std::map<ast::BinaryOperator, std::string_view> kOperators{
      {ast::BinaryOperator::Add, "+"},
      {ast::BinaryOperator::Sub, "-"},
      {ast::BinaryOperator::Mult, "*"},
      {ast::BinaryOperator::Div, "/"}};
  for (size_t i = 0; i + 1 < lines.size(); ++i) {
    const auto made = assignment(lines[i]);
    const auto stored = assignment(lines[i + 1]);
    if (!made || !stored || made->indent != stored->indent ||
        made->targets.size() != 1 || stored->targets.size() != 1 ||
        made->value->kind != ExprKind::BinOp ||
        stored->value->span.text() != made->targets.front() ||
        !is_dead_behind(lines, i + 1, made->targets.front())) {
      continue;
    }
    const auto& operation = ast::as<ast::BinOp>(*made->value);
    const auto op = kOperators.find(operation.op);
    const std::string& target = stored->targets.front();
    if (op == kOperators.end() || !target.ends_with("]") ||
        operation.left->span.text() != target) {
      continue;
    }
    const auto& whole = made->value->span;
    const std::string right(
        whole.text().substr(operation.right->span.begin - whole.begin));
    lines[i] =
        made->indent + target + " " + std::string(op->second) + "= " + right;
    lines.erase(lines.begin() + static_cast<std::ptrdiff_t>(i) + 1);
  }
}

}  // namespace

Lines without_copies(Lines lines) {
  if (!any_has(lines, " = mx.array(") || has_loops(lines)) {
    return lines;
  }
  for (size_t i = 0; i < lines.size(); ++i) {
    const auto made = assignment(lines[i]);
    const std::string name = made ? copied(*made->value) : "";
    if (name.empty() || made->targets.size() != 1 ||
        !is_dead_behind(lines, i, name) || !is_own(lines, i, name)) {
      continue;
    }
    const std::string copy = made->targets.front();
    lines.erase(lines.begin() + static_cast<std::ptrdiff_t>(i));
    for (size_t j = i; j < lines.size(); ++j) {
      lines[j] = renamed_objects(lines[j], {{copy, name}});
    }
    --i;
  }
  change_in_place(lines);
  return lines;
}

}  // namespace portwright::emit

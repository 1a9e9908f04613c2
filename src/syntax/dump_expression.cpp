#include "syntax/dump_impl.h"
#include "syntax/python_repr.h"

namespace portwright::syntax {

namespace {

constexpr std::string_view kExprNames[] = {
    "BoolOp",      "NamedExpr",      "BinOp",         "UnaryOp",
    "Lambda",      "IfExp",          "Dict",          "Set",
    "ListComp",    "SetComp",        "DictComp",      "GeneratorExp",
    "Await",       "Yield",          "YieldFrom",     "Compare",
    "Call",        "FormattedValue", "Interpolation", "JoinedStr",
    "TemplateStr", "Constant",       "Attribute",     "Subscript",
    "Starred",     "Name",           "List",          "Tuple",
    "Slice"};

}  // namespace

void Dumper::constant(const Constant& c) {
  key("value");
  append_constant_repr(out_, c);
  if (c.u_prefix) {
    key("kind");
    out_ += "'u'";
  }
}

void Dumper::expression(const Expr& expr) {
  open(kExprNames[static_cast<int>(expr.kind)]);
  switch (expr.kind) {
    case ExprKind::Name:
      field("id", as<Name>(expr).id);
      field("ctx", as<Name>(expr).ctx);
      break;
    case ExprKind::Constant:
      constant(as<Constant>(expr));
      break;
    case ExprKind::Attribute:
      field("value", as<Attribute>(expr).value);
      field("attr", as<Attribute>(expr).attr);
      field("ctx", as<Attribute>(expr).ctx);
      break;
    case ExprKind::Subscript:
      field("value", as<Subscript>(expr).value);
      field("slice", as<Subscript>(expr).slice);
      field("ctx", as<Subscript>(expr).ctx);
      break;
    case ExprKind::Starred:
      field("value", as<Starred>(expr).value);
      field("ctx", as<Starred>(expr).ctx);
      break;
    case ExprKind::List:
    case ExprKind::Tuple:
      field("elts", as<Sequence>(expr).elts);
      field("ctx", as<Sequence>(expr).ctx);
      break;
    case ExprKind::Call:
      field("func", as<Call>(expr).func);
      field("args", as<Call>(expr).args);
      field("keywords", as<Call>(expr).keywords);
      break;
    case ExprKind::JoinedStr:
    case ExprKind::TemplateStr:
      ++fstrings_;
      field("values", as<JoinedStr>(expr).values);
      --fstrings_;
      break;
    case ExprKind::FormattedValue:
    case ExprKind::Interpolation:
      string_part(expr);
      break;
    default:
      compound_expression(expr);
      break;
  }
  close(expr.span);
}

void Dumper::string_part(const Expr& expr) {
  if (expr.kind == ExprKind::FormattedValue) {
    const auto& e = as<FormattedValue>(expr);
    field("value", e.value);
    field("conversion", e.conversion);
    field("format_spec", e.format_spec);
  } else {
    const auto& e = as<Interpolation>(expr);
    field("value", e.value);
    field("str", e.str);
    field("conversion", e.conversion);
    field("format_spec", e.format_spec);
  }
}

void Dumper::compound_expression(const Expr& expr) {
  constexpr std::string_view kUnary[] = {
      "Invert()", "Not()", "UAdd()", "USub()"};
  switch (expr.kind) {
    case ExprKind::BoolOp:
      key("op");
      out_ += as<BoolOp>(expr).op == BoolOperator::And ? "And()" : "Or()";
      field("values", as<BoolOp>(expr).values);
      break;
    case ExprKind::NamedExpr:
      field("target", as<NamedExpr>(expr).target);
      field("value", as<NamedExpr>(expr).value);
      break;
    case ExprKind::BinOp:
      field("left", as<BinOp>(expr).left);
      field("op", as<BinOp>(expr).op);
      field("right", as<BinOp>(expr).right);
      break;
    case ExprKind::UnaryOp:
      key("op");
      out_ += kUnary[static_cast<int>(as<UnaryOp>(expr).op)];
      field("operand", as<UnaryOp>(expr).operand);
      break;
    case ExprKind::Lambda:
      field("args", as<Lambda>(expr).args);
      field("body", as<Lambda>(expr).body);
      break;
    case ExprKind::IfExp:
      field("test", as<IfExp>(expr).test);
      field("body", as<IfExp>(expr).body);
      field("orelse", as<IfExp>(expr).orelse);
      break;
    case ExprKind::Dict:
      field("keys", as<Dict>(expr).keys);
      field("values", as<Dict>(expr).values);
      break;
    case ExprKind::Set:
      field("elts", as<Set>(expr).elts);
      break;
    case ExprKind::ListComp:
    case ExprKind::SetComp:
    case ExprKind::GeneratorExp:
      field("elt", as<ElementComp>(expr).elt);
      field("generators", as<ElementComp>(expr).generators);
      break;
    case ExprKind::DictComp:
      field("key", as<DictComp>(expr).key);
      field("value", as<DictComp>(expr).value);
      field("generators", as<DictComp>(expr).generators);
      break;
    case ExprKind::Await:
    case ExprKind::Yield:
    case ExprKind::YieldFrom:
      field("value", as<ValueExpr>(expr).value);
      break;
    case ExprKind::Compare:
      field("left", as<Compare>(expr).left);
      field("ops", as<Compare>(expr).ops);
      field("comparators", as<Compare>(expr).comparators);
      break;
    case ExprKind::Slice:
      field("lower", as<Slice>(expr).lower);
      field("upper", as<Slice>(expr).upper);
      field("step", as<Slice>(expr).step);
      break;
    default:
      break;
  }
}

}  // namespace portwright::syntax

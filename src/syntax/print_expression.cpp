#include <set>

#include "syntax/printer_impl.h"
#include "syntax/token.h"
#include "syntax/unicode.h"

namespace portwright::syntax {

namespace {

struct OperatorText {
  std::string_view text;
  Level level;
};

// In the order of BinaryOperator.
constexpr OperatorText kBinary[] = {
    {" + ", Level::Sum},
    {" - ", Level::Sum},
    {" * ", Level::Term},
    {" @ ", Level::Term},
    {" / ", Level::Term},
    {" % ", Level::Term},
    {"**", Level::Power},
    {" << ", Level::Shift},
    {" >> ", Level::Shift},
    {" | ", Level::BitOr},
    {" ^ ", Level::BitXor},
    {" & ", Level::BitAnd},
    {" // ", Level::Term}};

constexpr std::string_view kCompare[] = {
    " == ",
    " != ",
    " < ",
    " <= ",
    " > ",
    " >= ",
    " is ",
    " is not ",
    " in ",
    " not in "};

bool is_keyword_text(std::string_view text) {
  static const std::set<std::string_view> words = {
#define X(name, text) text,
      PW_KEYWORDS(X)
#undef X
  };
  return text.size() <= 8 && words.contains(text);
}

constexpr std::string_view kUnary[] = {"~", "not ", "+", "-"};

Level tighter(Level level) {
  return static_cast<Level>(static_cast<int>(level) + 1);
}

}  // namespace

// A name can be spelled like a keyword where it was written in letters that
// only normalise to it; so it is again.
void Printer::write(Symbol name) {
  const std::string& text = name.str();
  if (!is_keyword_text(text)) {
    out_ += text;
    return;
  }
  append_utf8(out_, 0xFEE0 + static_cast<unsigned char>(text[0]));
  out_.append(text, 1);
}

Level Printer::level_of(const Expr& expr) {
  switch (expr.kind) {
    case ExprKind::Tuple:
      return as<Sequence>(expr).elts.empty() ? Level::Atom : Level::Any;
    case ExprKind::Yield:
    case ExprKind::YieldFrom:
    case ExprKind::Slice:
      return Level::Any;
    case ExprKind::NamedExpr:
      return Level::Named;
    case ExprKind::IfExp:
    case ExprKind::Lambda:
      return Level::Test;
    case ExprKind::BoolOp:
      return as<BoolOp>(expr).op == BoolOperator::Or ? Level::Or : Level::And;
    case ExprKind::UnaryOp:
      return as<UnaryOp>(expr).op == UnaryOperator::Not ? Level::Not
                                                        : Level::Factor;
    case ExprKind::Compare:
      return Level::Comparison;
    case ExprKind::BinOp:
      return kBinary[static_cast<int>(as<BinOp>(expr).op)].level;
    case ExprKind::Await:
      return Level::Await;
    default:
      return Level::Atom;
  }
}

// In parentheses where it binds more loosely than `level`.
void Printer::expression(const Expr& expr, Level level) {
  const bool wrap = level_of(expr) < level;
  if (wrap) {
    write("(");
  }
  bare(expr);
  if (wrap) {
    write(")");
  }
}

void Printer::bare(const Expr& expr) {
  switch (expr.kind) {
    case ExprKind::Name:
      return write(as<Name>(expr).id);
    case ExprKind::Constant:
      return constant(as<Constant>(expr));
    case ExprKind::Attribute: {
      const auto& e = as<Attribute>(expr);
      // The point of `1.real` would belong to the number.
      const bool integer =
          e.value->kind == ExprKind::Constant &&
          (as<Constant>(*e.value).value_kind == ConstantKind::Int ||
           as<Constant>(*e.value).value_kind == ConstantKind::BigInt);
      write(integer ? "(" : "");
      expression(*e.value, Level::Atom);
      write(integer ? ")." : ".");
      return write(e.attr);
    }
    case ExprKind::Call:
      return call(as<Call>(expr));
    case ExprKind::Subscript:
      return subscript(as<Subscript>(expr));
    case ExprKind::BoolOp: {
      const auto& e = as<BoolOp>(expr);
      const bool any = e.op == BoolOperator::Or;
      bool first = true;
      for (const Expr* value : e.values) {
        write(first ? "" : any ? " or " : " and ");
        first = false;
        expression(*value, tighter(any ? Level::Or : Level::And));
      }
      return;
    }
    case ExprKind::BinOp:
      return binary(as<BinOp>(expr));
    case ExprKind::UnaryOp: {
      const auto& e = as<UnaryOp>(expr);
      write(kUnary[static_cast<int>(e.op)]);
      return expression(*e.operand, level_of(expr));
    }
    case ExprKind::Compare:
      return comparison(as<Compare>(expr));
    case ExprKind::IfExp: {
      const auto& e = as<IfExp>(expr);
      expression(*e.body, Level::Or);
      write(" if ");
      expression(*e.test, Level::Or);
      write(" else ");
      return expression(*e.orelse, Level::Test);
    }
    case ExprKind::NamedExpr:
      expression(*as<NamedExpr>(expr).target, Level::Atom);
      write(" := ");
      return expression(*as<NamedExpr>(expr).value, Level::Test);
    case ExprKind::Lambda: {
      const auto& e = as<Lambda>(expr);
      const size_t before = out_.size();
      parameters(*e.args);
      out_.insert(before, out_.size() == before ? "lambda" : "lambda ");
      write(": ");
      return expression(*e.body, Level::Test);
    }
    case ExprKind::Await:
      write("await ");
      return expression(*as<ValueExpr>(expr).value, Level::Atom);
    case ExprKind::Yield:
      write("yield");
      if (as<ValueExpr>(expr).value != nullptr) {
        const Expr& value = *as<ValueExpr>(expr).value;
        write(" ");
        expression(
            value, value.kind == ExprKind::Tuple ? Level::Any : Level::Test);
      }
      return;
    case ExprKind::YieldFrom:
      write("yield from ");
      return expression(*as<ValueExpr>(expr).value, Level::Test);
    default:
      return display(expr);
  }
}

void Printer::display(const Expr& expr) {
  const auto element = [&](std::string_view open, std::string_view close) {
    const auto& e = as<ElementComp>(expr);
    write(open);
    expression(*e.elt, Level::Named);
    comprehension(e.generators);
    write(close);
  };
  switch (expr.kind) {
    case ExprKind::Tuple:
      return tuple(as<Sequence>(expr));
    case ExprKind::List:
      write("[");
      elements(as<Sequence>(expr).elts);
      return write("]");
    case ExprKind::Set:
      write("{");
      elements(as<Set>(expr).elts);
      return write("}");
    case ExprKind::Dict:
      return dict(as<Dict>(expr));
    case ExprKind::ListComp:
      return element("[", "]");
    case ExprKind::SetComp:
      return element("{", "}");
    case ExprKind::GeneratorExp:
      return element("(", ")");
    case ExprKind::DictComp: {
      const auto& e = as<DictComp>(expr);
      write("{");
      expression(*e.key, Level::Test);
      write(": ");
      expression(*e.value, Level::Test);
      comprehension(e.generators);
      return write("}");
    }
    case ExprKind::Starred:
      write("*");
      return expression(*as<Starred>(expr).value, Level::BitOr);
    case ExprKind::Slice:
      return slice(as<Slice>(expr));
    case ExprKind::JoinedStr:
    case ExprKind::TemplateStr:
      return joined(as<JoinedStr>(expr));
    default:
      return;
  }
}

void Printer::elements(Exprs items) {
  list(items, [&](const Expr* item) { expression(*item, Level::Named); });
}

void Printer::tuple(const Sequence& tuple) {
  if (tuple.elts.empty()) {
    return write("()");
  }
  // A walrus would need the parentheses that the tuple may go without.
  list(tuple.elts, [&](const Expr* item) {
    item->kind == ExprKind::Slice ? bare(*item)
                                  : expression(*item, Level::Test);
  });
  if (tuple.elts.size() == 1) {
    write(",");
  }
}

void Printer::binary(const BinOp& e) {
  const OperatorText& op = kBinary[static_cast<int>(e.op)];
  if (e.op == BinaryOperator::Pow) {
    expression(*e.left, Level::Await);
    write(op.text);
    return expression(*e.right, Level::Factor);
  }
  expression(*e.left, op.level);
  write(op.text);
  expression(*e.right, tighter(op.level));
}

void Printer::comparison(const Compare& e) {
  expression(*e.left, Level::BitOr);
  for (size_t i = 0; i < e.ops.size(); ++i) {
    write(kCompare[static_cast<int>(e.ops[i])]);
    expression(*e.comparators[i], Level::BitOr);
  }
}

void Printer::dict(const Dict& e) {
  write("{");
  for (size_t i = 0; i < e.keys.size(); ++i) {
    write(i == 0 ? "" : ", ");
    if (e.keys[i] == nullptr) {
      write("**");
      expression(*e.values[i], Level::BitOr);
    } else {
      expression(*e.keys[i], Level::Test);
      write(": ");
      expression(*e.values[i], Level::Test);
    }
  }
  write("}");
}

void Printer::call(const Call& e) {
  expression(*e.func, Level::Atom);
  if (e.args.size() == 1 && e.keywords.empty() &&
      e.args[0]->kind == ExprKind::GeneratorExp) {
    return bare(*e.args[0]);
  }
  write("(");
  arguments(e.args, e.keywords);
  write(")");
}

void Printer::arguments(Exprs args, Seq<Keyword> keywords) {
  elements(args);
  if (!args.empty() && !keywords.empty()) {
    write(", ");
  }
  list(keywords, [&](const Keyword& keyword) {
    if (keyword.arg) {
      write(keyword.arg);
      write("=");
    } else {
      write("**");
    }
    expression(*keyword.value, Level::Test);
  });
}

void Printer::subscript(const Subscript& e) {
  expression(*e.value, Level::Atom);
  write("[");
  const bool open =
      e.slice->kind == ExprKind::Slice || e.slice->kind == ExprKind::Tuple;
  expression(*e.slice, open ? Level::Any : Level::Named);
  write("]");
}

void Printer::slice(const Slice& e) {
  if (e.lower != nullptr) {
    expression(*e.lower, Level::Test);
  }
  write(":");
  if (e.upper != nullptr) {
    expression(*e.upper, Level::Test);
  }
  if (e.step != nullptr) {
    write(":");
    expression(*e.step, Level::Test);
  }
}

void Printer::comprehension(Seq<Comprehension> generators) {
  for (const Comprehension& each : generators) {
    write(each.is_async ? " async for " : " for ");
    expression(*each.target);
    write(" in ");
    expression(*each.iter, Level::Or);
    for (const Expr* test : each.ifs) {
      write(" if ");
      expression(*test, Level::Or);
    }
  }
}

void Printer::parameter(const Arg& arg, const Expr* value) {
  write(arg.name);
  if (arg.annotation != nullptr) {
    write(": ");
    expression(*arg.annotation, Level::Test);
  }
  if (value != nullptr) {
    write(arg.annotation != nullptr ? " = " : "=");
    expression(*value, Level::Test);
  }
}

void Printer::parameters(const Arguments& args) {
  const size_t positional = args.posonlyargs.size() + args.args.size();
  const size_t first_default = positional - args.defaults.size();
  bool first = true;
  const auto comma = [&] {
    write(first ? "" : ", ");
    first = false;
  };
  for (size_t i = 0; i < positional; ++i) {
    comma();
    const bool only = i < args.posonlyargs.size();
    parameter(
        only ? *args.posonlyargs[i] : *args.args[i - args.posonlyargs.size()],
        i >= first_default ? args.defaults[i - first_default] : nullptr);
    if (i + 1 == args.posonlyargs.size()) {
      write(", /");
    }
  }
  if (args.vararg != nullptr || !args.kwonlyargs.empty()) {
    comma();
    write("*");
    if (args.vararg != nullptr) {
      parameter(*args.vararg, nullptr);
    }
  }
  for (size_t i = 0; i < args.kwonlyargs.size(); ++i) {
    comma();
    parameter(*args.kwonlyargs[i], args.kw_defaults[i]);
  }
  if (args.kwarg != nullptr) {
    comma();
    write("**");
    parameter(*args.kwarg, nullptr);
  }
}

}  // namespace portwright::syntax

#include "emit/layout/builder.h"

namespace portwright::emit::printing {

using namespace syntax;

// Parentheses belong to no span but that of a tuple or a generator: an
// expression that starts behind the next `(` stands in them.
Node* Builder::expr(const Expr& e, Kind tuple) {
  if (at(TK::LeftParen) && token().begin < e.span.begin) {
    Node* open = take();
    Node* inner = expr(e, Kind::GroupItems);
    return tree_->node(Kind::Atom, {open, inner, take()});
  }
  return bare(e, tuple);
}

Node* Builder::bare(const Expr& e, Kind tuple_kind) {
  switch (e.kind) {
    case ExprKind::BoolOp: {
      const auto& op = as<BoolOp>(e);
      Nodes out;
      for (Expr* value : op.values) {
        if (!out.empty()) {
          out.push_back(take());
        }
        out.push_back(expr(*value));
      }
      return tree_->node(
          op.op == BoolOperator::And ? Kind::AndTest : Kind::OrTest, out);
    }
    case ExprKind::NamedExpr: {
      const auto& named = as<NamedExpr>(e);
      Nodes out{expr(*named.target)};
      out.push_back(take());
      out.push_back(expr(*named.value));
      return tree_->node(Kind::NamedExpr, out);
    }
    case ExprKind::BinOp:
      return binary(as<BinOp>(e));
    case ExprKind::UnaryOp: {
      const auto& unary = as<UnaryOp>(e);
      Nodes out{take()};
      out.push_back(expr(*unary.operand));
      return tree_->node(
          unary.op == UnaryOperator::Not ? Kind::NotTest : Kind::Factor, out);
    }
    case ExprKind::Lambda:
      return lambda(as<Lambda>(e));
    case ExprKind::IfExp: {
      const auto& test = as<IfExp>(e);
      Nodes out{expr(*test.body)};
      out.push_back(take());
      out.push_back(expr(*test.test));
      out.push_back(take());
      out.push_back(expr(*test.orelse));
      return tree_->node(Kind::Ternary, out);
    }
    case ExprKind::Dict:
      return dict(as<Dict>(e));
    case ExprKind::Set:
      return items(as<Set>(e).elts, Kind::DictItems);
    case ExprKind::List:
      return items(as<Sequence>(e).elts, Kind::ListItems);
    case ExprKind::Tuple:
      return tuple(as<Sequence>(e), tuple_kind);
    case ExprKind::ListComp:
      return element_comprehension(as<ElementComp>(e), Kind::ListItems);
    case ExprKind::SetComp:
      return element_comprehension(as<ElementComp>(e), Kind::DictItems);
    case ExprKind::GeneratorExp:
      return element_comprehension(as<ElementComp>(e), Kind::GroupItems);
    case ExprKind::DictComp:
      return dict_comprehension(as<DictComp>(e));
    case ExprKind::Yield:
    case ExprKind::YieldFrom:
      return yield(e);
    case ExprKind::Compare:
      return comparison(as<Compare>(e));
    case ExprKind::JoinedStr:
      return strings(e);
    case ExprKind::Constant: {
      const ConstantKind kind = as<Constant>(e).value_kind;
      if (kind == ConstantKind::Str || kind == ConstantKind::Bytes) {
        return strings(e);
      }
      if (kind == ConstantKind::Ellipsis) {
        Node* first = take();
        first->value.assign(1, '.');
        return tree_->node(
            Kind::Atom,
            {first, tree_->leaf(Kind::Dot, "."), tree_->leaf(Kind::Dot, ".")});
      }
      return take();
    }
    case ExprKind::Starred: {
      Nodes out{take()};
      out.push_back(expr(*as<Starred>(e).value));
      return tree_->node(Kind::StarExpr, out);
    }
    case ExprKind::Name:
      return take();
    case ExprKind::Slice:
      return slice_item(e);
    case ExprKind::Await:
    case ExprKind::Call:
    case ExprKind::Attribute:
    case ExprKind::Subscript: {
      Nodes out;
      primary(e, out);
      return tree_->node(Kind::Power, out);
    }
    case ExprKind::TemplateStr:
    case ExprKind::FormattedValue:
    case ExprKind::Interpolation:
      break;
  }
  throw Unserved{e.span};
}

// [await] atom trailer*
void Builder::primary(const Expr& e, Nodes& out) {
  switch (e.kind) {
    case ExprKind::Await:
      out.push_back(take());
      operand(*as<ValueExpr>(e).value, out);
      return;
    case ExprKind::Call:
      operand(*as<Call>(e).func, out);
      out.push_back(call(as<Call>(e)));
      return;
    case ExprKind::Attribute: {
      operand(*as<Attribute>(e).value, out);
      Node* dot = take();
      out.push_back(tree_->node(Kind::Trailer, {dot, take()}));
      return;
    }
    case ExprKind::Subscript: {
      operand(*as<Subscript>(e).value, out);
      Node* open = take();
      Node* index = subscript(*as<Subscript>(e).slice);
      out.push_back(tree_->node(Kind::Trailer, {open, index, take()}));
      return;
    }
    default:
      out.push_back(expr(e));
  }
}

void Builder::operand(const Expr& e, Nodes& out) {
  if (at(TK::LeftParen) && token().begin < e.span.begin) {
    out.push_back(expr(e));
  } else {
    primary(e, out);
  }
}

Node* Builder::call(const Call& call) {
  const uint32_t begin = token().begin;
  Nodes out{take()};
  if (call.args.size() == 1 && call.keywords.empty() &&
      call.args[0]->kind == ExprKind::GeneratorExp &&
      call.args[0]->span.begin == begin) {
    const auto& generator = as<ElementComp>(*call.args[0]);
    Node* element = expr(*generator.elt);
    out.push_back(tree_->node(
        Kind::Argument,
        {element, comprehensions(generator.generators, 0, Kind::CompFor)}));
    if (at(TK::Comma)) {
      Node* argument = out.back();
      out.back() = tree_->node(Kind::ArgumentList, {argument, take()});
    }
  } else {
    arguments(call.args, call.keywords, TK::RightParen, out);
  }
  out.push_back(take());
  return tree_->node(Kind::Trailer, out);
}

void Builder::arguments(
    Exprs args,
    Seq<Keyword> keywords,
    TK close,
    Nodes& out) {
  Nodes list;
  size_t arg = 0;
  size_t keyword = 0;
  while (!at(close)) {
    Nodes one;
    if (arg < args.size() &&
        (keyword == keywords.size() ||
         args[arg]->span.begin < keywords[keyword].span.begin)) {
      const Expr& e = *args[arg++];
      if (e.kind == ExprKind::Starred) {
        one.push_back(take());
        one.push_back(expr(*as<Starred>(e).value));
      } else if (
          e.kind == ExprKind::NamedExpr && token().begin == e.span.begin) {
        one.push_back(take());
        one.push_back(take());
        one.push_back(expr(*as<NamedExpr>(e).value));
      } else {
        one.push_back(expr(e));
      }
    } else {
      const Keyword& word = keywords[keyword++];
      one.push_back(take());
      if (word.arg) {
        one.push_back(take());
      }
      one.push_back(expr(*word.value));
    }
    list.push_back(tree_->node(Kind::Argument, one));
    accept(TK::Comma, list);
  }
  if (!list.empty()) {
    out.push_back(tree_->node(Kind::ArgumentList, list));
  }
}

Node* Builder::subscript(const Expr& index) {
  if (index.kind == ExprKind::Tuple && !bracketed(index.span) &&
      token().begin == index.span.begin) {
    Nodes out;
    for (Expr* element : as<Sequence>(index).elts) {
      out.push_back(slice_item(*element));
      accept(TK::Comma, out);
    }
    return tree_->node(Kind::SubscriptList, out);
  }
  Nodes out{slice_item(index)};
  accept(TK::Comma, out);
  return tree_->node(Kind::SubscriptList, out);
}

// [test] ':' [test] [':' [test]]
Node* Builder::slice_item(const Expr& e) {
  if (e.kind != ExprKind::Slice) {
    return expr(e);
  }
  const auto& slice = as<Slice>(e);
  Nodes out;
  if (slice.lower) {
    out.push_back(expr(*slice.lower));
  }
  out.push_back(take());
  if (slice.upper) {
    out.push_back(expr(*slice.upper));
  }
  if (at(TK::Colon)) {
    Nodes step{take()};
    if (slice.step) {
      step.push_back(expr(*slice.step));
    }
    out.push_back(tree_->node(Kind::SliceStep, step));
  }
  return tree_->node(Kind::Subscript, out);
}

namespace {

Kind chain_kind(BinaryOperator op) {
  switch (op) {
    case BinaryOperator::Add:
    case BinaryOperator::Sub:
      return Kind::ArithExpr;
    case BinaryOperator::LShift:
    case BinaryOperator::RShift:
      return Kind::ShiftExpr;
    case BinaryOperator::BitOr:
      return Kind::OrExpr;
    case BinaryOperator::BitXor:
      return Kind::XorExpr;
    case BinaryOperator::BitAnd:
      return Kind::AndExpr;
    default:
      return Kind::Term;
  }
}

}  // namespace

Node* Builder::binary(const BinOp& e) {
  if (e.op == BinaryOperator::Pow) {
    return power(e);
  }
  Nodes out;
  const Kind kind = chain_kind(e.op);
  binary_chain(e, kind, out);
  return tree_->node(kind, out);
}

Node* Builder::power(const BinOp& e) {
  Nodes out;
  operand(*e.left, out);
  out.push_back(take());
  out.push_back(expr(*e.right));
  return tree_->node(Kind::Power, out);
}

// Operands of equal rank on the left are siblings.
void Builder::binary_chain(const BinOp& e, Kind kind, Nodes& out) {
  const bool chained = e.left->kind == ExprKind::BinOp &&
                       as<BinOp>(*e.left).op != BinaryOperator::Pow &&
                       chain_kind(as<BinOp>(*e.left).op) == kind &&
                       e.left->span.begin <= token().begin;
  if (chained) {
    binary_chain(as<BinOp>(*e.left), kind, out);
  } else {
    out.push_back(expr(*e.left));
  }
  out.push_back(take());
  out.push_back(expr(*e.right));
}

Node* Builder::comparison(const Compare& e) {
  Nodes out{expr(*e.left)};
  for (size_t i = 0; i < e.ops.size(); ++i) {
    Node* op = take();
    if (e.ops[i] == CompareOperator::NotIn ||
        e.ops[i] == CompareOperator::IsNot) {
      op = tree_->node(Kind::CompareOp, {op, take()});
    }
    out.push_back(op);
    out.push_back(expr(*e.comparators[i]));
  }
  return tree_->node(Kind::Comparison, out);
}

Node* Builder::strings(const Expr& e) {
  Nodes out;
  while ((at(TK::String) || at(TK::FStringStart)) &&
         token().begin < e.span.end) {
    out.push_back(take());
  }
  return tree_->node(Kind::Atom, out);
}

Node* Builder::yield(const Expr& e) {
  Nodes out{take()};
  const Expr* value = as<ValueExpr>(e).value;
  if (e.kind == ExprKind::YieldFrom) {
    Node* from = take();
    out.push_back(tree_->node(Kind::YieldArg, {from, expr(*value)}));
  } else if (value) {
    out.push_back(expr(*value));
  }
  return tree_->node(Kind::YieldExpr, out);
}

}  // namespace portwright::emit::printing

#include "emit/layout/builder.h"

namespace portwright::emit::printing {

using namespace syntax;

Node* Builder::tuple(const Sequence& e, Kind kind) {
  if (at(TK::LeftParen) && bracketed(e.span)) {
    return items(e.elts, Kind::GroupItems);
  }
  Nodes out;
  for (Expr* element : e.elts) {
    out.push_back(expr(*element));
    accept(TK::Comma, out);
  }
  return tree_->node(kind, out);
}

// Brackets around elements, none perhaps.
Node* Builder::items(Exprs elts, Kind kind) {
  Nodes out{take()};
  Nodes inner;
  for (Expr* element : elts) {
    inner.push_back(expr(*element));
    accept(TK::Comma, inner);
  }
  if (!inner.empty()) {
    out.push_back(tree_->node(kind, inner));
  }
  out.push_back(take());
  return tree_->node(Kind::Atom, out);
}

Node* Builder::dict(const Dict& e) {
  Nodes out{take()};
  Nodes inner;
  for (size_t i = 0; i < e.values.size(); ++i) {
    if (e.keys[i]) {
      inner.push_back(expr(*e.keys[i]));
    }
    inner.push_back(take());  // the colon, or `**`
    inner.push_back(expr(*e.values[i]));
    accept(TK::Comma, inner);
  }
  if (!inner.empty()) {
    out.push_back(tree_->node(Kind::DictItems, inner));
  }
  out.push_back(take());
  return tree_->node(Kind::Atom, out);
}

Node* Builder::element_comprehension(const ElementComp& e, Kind kind) {
  Node* open = take();
  Node* element = expr(*e.elt);
  Node* loop = comprehensions(
      e.generators,
      0,
      kind == Kind::DictItems ? Kind::CompFor : Kind::OldCompFor);
  Node* inner = tree_->node(kind, {element, loop});
  return tree_->node(Kind::Atom, {open, inner, take()});
}

Node* Builder::dict_comprehension(const DictComp& e) {
  Node* open = take();
  Nodes inner{expr(*e.key)};
  inner.push_back(take());
  inner.push_back(expr(*e.value));
  inner.push_back(comprehensions(e.generators, 0, Kind::CompFor));
  Node* middle = tree_->node(Kind::DictItems, inner);
  return tree_->node(Kind::Atom, {open, middle, take()});
}

// [async] 'for' targets 'in' test ['if' test ...], the rest nested within
Node* Builder::comprehensions(
    Seq<Comprehension> generators,
    size_t from,
    Kind kind) {
  const Comprehension& loop = generators[from];
  Nodes out;
  accept(TK::KwAsync, out);
  out.push_back(take());
  out.push_back(expr(*loop.target, Kind::TargetTuple));
  out.push_back(take());
  out.push_back(expr(*loop.iter));
  std::vector<Nodes> conditions;
  for (Expr* test : loop.ifs) {
    Node* word = take();
    conditions.push_back({word, expr(*test)});
  }
  Node* rest = from + 1 < generators.size()
                   ? comprehensions(generators, from + 1, kind)
                   : nullptr;
  for (size_t i = conditions.size(); i-- > 0;) {
    if (rest) {
      conditions[i].push_back(rest);
    }
    rest = tree_->node(Kind::CompIf, conditions[i]);
  }
  if (rest) {
    out.push_back(rest);
  }
  return tree_->node(kind, out);
}

}  // namespace portwright::emit::printing

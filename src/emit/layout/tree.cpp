#include "emit/layout/tree.h"

#include "base/check.h"
#include "emit/layout/strings.h"

namespace portwright::emit::printing {

Node& Tree::make() {
  constexpr size_t kBlock = 512;
  if (blocks_.empty() || blocks_.back().size() == kBlock) {
    blocks_.emplace_back().reserve(kBlock);
  }
  return blocks_.back().emplace_back();
}

Node* Tree::leaf(Kind kind, std::string_view value) {
  Node& out = make();
  out.kind = kind;
  out.value = value;
  return &out;
}

namespace {
void reindex(Node* parent) {
  for (uint32_t i = 0; i < parent->children.size(); ++i) {
    parent->children[i]->index = i;
    parent->children[i]->parent = parent;
  }
}
}  // namespace

Node* Tree::node(Kind kind, std::vector<Node*> children) {
  PW_CHECK(!children.empty(), "a node without children");
  if (children.size() == 1) {
    return children[0];
  }
  Node& out = make();
  out.kind = kind;
  out.children = std::move(children);
  reindex(&out);
  return &out;
}

void Tree::parenthesize(Node* child, bool visible) {
  Node* parent = child->parent;
  const uint32_t index = child->index;
  Node* open = leaf(Kind::LeftParen, visible ? "(" : "");
  Node* close = leaf(Kind::RightParen, visible ? ")" : "");
  // What stood before the child stands before the parenthesis.
  Node* first = first_leaf(child);
  open->blank_lines = std::exchange(first->blank_lines, 0);
  std::swap(open->comments, first->comments);
  Node* atom = node(Kind::Atom, {open, child, close});
  parent->children[index] = atom;
  atom->parent = parent;
  atom->index = index;
}

Node* Tree::detached(const Node& leaf_node) {
  Node* out = leaf(leaf_node.kind, leaf_node.value);
  out->space = leaf_node.space;
  out->depth = leaf_node.depth;
  out->opening = leaf_node.opening;
  return out;
}

Node* Tree::replace_leaf(Node* old) {
  Node* out = leaf(old->kind, old->value);
  if (old->parent) {
    replace_child(old, out);
  }
  return out;
}

void insert_child(Node* parent, size_t index, Node* child) {
  parent->children.insert(parent->children.begin() + index, child);
  reindex(parent);
}

void replace_child(Node* old, Node* child) {
  child->parent = old->parent;
  child->index = old->index;
  old->parent->children[old->index] = child;
  old->parent = nullptr;
}

Node* first_leaf(Node* node) {
  while (!node->leaf()) {
    node = node->children.front();
  }
  return node;
}

Node* last_leaf(Node* node) {
  while (!node->leaf()) {
    node = node->children.back();
  }
  return node;
}

Node* preceding_leaf(const Node* node) {
  for (; node; node = node->parent) {
    if (Node* before = node->previous_sibling()) {
      return last_leaf(before);
    }
  }
  return nullptr;
}

bool is_vararg(const Node& leaf, bool in_arguments, bool in_displays) {
  if (leaf.kind != Kind::Star && leaf.kind != Kind::DoubleStar &&
      leaf.kind != Kind::Slash) {
    return false;
  }
  const Node* parent = leaf.parent;
  if (parent && parent->is(Kind::StarExpr)) {
    parent = parent->parent;
  }
  if (!parent) {
    return false;
  }
  switch (parent->kind) {
    case Kind::ArgumentList:
    case Kind::Argument:
    case Kind::Trailer:
    case Kind::ParameterList:
    case Kind::LambdaParameters:
      return in_arguments;
    case Kind::Atom:
    case Kind::DictItems:
    case Kind::ListItems:
    case Kind::GroupItems:
    case Kind::ImplicitTuple:
      return in_displays;
    default:
      return false;
  }
}

bool is_docstring(const Node& leaf) {
  if (!leaf.is(Kind::String)) {
    return false;
  }
  for (char c : string_prefix(leaf.value)) {
    if (c == 'b' || c == 'B' || c == 'f' || c == 'F') {
      return false;
    }
  }
  const Node* statement = leaf.parent;
  if (!statement || !statement->is(Kind::SimpleStmt) || leaf.index != 0) {
    return false;
  }
  const Node* block = statement->parent;
  if (!block) {
    return false;
  }
  switch (block->kind) {
    case Kind::File:
      return statement->index == 0;
    case Kind::Suite:
      return statement->index == 1;
    case Kind::FunctionDef:
      // On the line of the def, without an annotation of the result.
      return statement->index >= 2 &&
             block->children[statement->index - 2]->is(Kind::Parameters);
    default:
      return false;
  }
}

bool is_multiline_string(const Node& node) {
  return node.is(Kind::String) && has_triple_quotes(node.value) &&
         node.value.find('\n') != std::string::npos;
}

bool is_stub_body(const Node& node) {
  if (!node.is(Kind::SimpleStmt) || node.children.size() != 2) {
    return false;
  }
  const Node& body = *node.children[0];
  return body.is(Kind::Atom) && body.children.size() == 3 &&
         body.children[0]->is(Kind::Dot) && body.children[0]->comments.empty();
}

bool is_stub_suite(const Node& node) {
  if (!node.is(Kind::Suite) ||
      !(node.parent_is(Kind::FunctionDef) || node.parent_is(Kind::ClassDef))) {
    return false;
  }
  return node.children.size() == 3 && node.children[0]->comments.empty() &&
         node.children[2]->comments.empty() && is_stub_body(*node.children[1]);
}

}  // namespace portwright::emit::printing

#include "emit/layout/parens.h"

#include <algorithm>

#include "emit/layout/brackets.h"

namespace portwright::emit::printing {

namespace {

// The content of `( content )`, visible or not.
Node* unwrapped(const Node& node) {
  return node.children.size() == 3 && node.children[0]->is(Kind::LeftParen) &&
                 node.children[2]->is(Kind::RightParen)
             ? node.children[1]
             : nullptr;
}

bool is_implicit_tuple(Kind kind) {
  return kind == Kind::ImplicitTuple || kind == Kind::TargetTuple;
}

bool is_one_tuple(const Node& node) {
  const Node* items = &node;
  if (node.is(Kind::Atom)) {
    items = unwrapped(node);
    if (!items || !items->is(Kind::GroupItems)) {
      return false;
    }
  } else if (!is_implicit_tuple(node.kind)) {
    return false;
  }
  return items->children.size() == 2 && items->children[1]->is(Kind::Comma);
}

bool is_yield(const Node& node) {
  if (node.is(Kind::YieldExpr) || node.is_name("yield")) {
    return true;
  }
  const Node* inner = node.is(Kind::Atom) ? unwrapped(node) : nullptr;
  return inner && is_yield(*inner);
}

// Whether a parenthesized tuple or generator has such an element.
bool group_has(const Node& node, Kind kind) {
  const Node* items = node.is(Kind::Atom) ? unwrapped(node) : nullptr;
  return items && items->is(Kind::GroupItems) &&
         std::any_of(
             items->children.begin(),
             items->children.end(),
             [&](const Node* child) { return child->is(kind); });
}

// Where `(x := 1)` cannot do without its parentheses.
bool needs_walrus_parentheses(Kind parent) {
  switch (parent) {
    case Kind::Annotation:
    case Kind::ExprStmt:
    case Kind::AssertStmt:
    case Kind::ReturnStmt:
    case Kind::ExceptClause:
    case Kind::FunctionDef:
    case Kind::WithStmt:
    case Kind::TypedName:
    case Kind::ForStmt:
    case Kind::DelStmt:
      return true;
    default:
      return false;
  }
}

bool is_invisible_atom(const Node& node) {
  return node.is(Kind::Atom) && node.children.front()->is(Kind::LeftParen) &&
         node.children.front()->value.empty() &&
         node.children.back()->is(Kind::RightParen) &&
         node.children.back()->value.empty();
}

void wrap_unless_wrapped(Tree& tree, Node* child, Node* parent, bool commas) {
  if (hide_parentheses(child, parent, commas)) {
    tree.parenthesize(child, false);
  }
}

void hide_with_parentheses(Tree& tree, Node* node, Node* parent) {
  if (node->is(Kind::Atom)) {
    wrap_unless_wrapped(tree, node, parent, true);
    if (node->children.size() > 1 && !node->children[1]->leaf()) {
      hide_with_parentheses(tree, node->children[1], node);
    }
  } else if (node->is(Kind::GroupItems)) {
    for (size_t i = 0; i < node->children.size(); ++i) {
      if (!node->children[i]->leaf()) {
        hide_with_parentheses(tree, node->children[i], node);
      }
    }
  } else if (node->is(Kind::AsExpr)) {
    wrap_unless_wrapped(tree, node->children[0], node, true);
  }
}

void normalize_import(Tree& tree, Node* statement, size_t index) {
  Node* child = statement->children[index];
  if (child->is(Kind::LeftParen)) {
    child->value.clear();
    statement->children.back()->value.clear();
  } else if (!child->is(Kind::Star)) {
    insert_child(statement, index, tree.leaf(Kind::LeftParen, ""));
    insert_child(
        statement, statement->children.size(), tree.leaf(Kind::RightParen, ""));
  }
}

template <typename After>
void normalize(Tree& tree, Node* statement, const After& after) {
  bool check = false;
  for (size_t index = 0; index < statement->children.size(); ++index) {
    Node* child = statement->children[index];
    if (child->is(Kind::Annotation)) {
      normalize(tree, child, after);
    }
    if (index == 0 && child->is(Kind::ImplicitTuple)) {
      check = true;
    }
    if (check) {
      if (child->is(Kind::Atom) && statement->is(Kind::ForStmt) && index > 0 &&
          statement->children[index - 1]->is_name("for")) {
        wrap_unless_wrapped(tree, child, statement, true);
      } else if (!child->leaf() && statement->is(Kind::WithStmt)) {
        hide_with_parentheses(tree, child, statement);
      } else if (child->is(Kind::Atom)) {
        wrap_unless_wrapped(tree, child, statement, false);
      } else if (is_one_tuple(*child)) {
        tree.parenthesize(child, true);
      } else if (statement->is(Kind::ImportFrom)) {
        normalize_import(tree, statement, index);
        return;
      } else if (
          index == 1 && child->is(Kind::Star) &&
          statement->is(Kind::ExceptClause)) {
        continue;  // of `except*`
      } else if (!is_multiline_string(*child)) {
        tree.parenthesize(child, false);
      }
    }
    check = child->leaf() && (after(*child) || child->is(Kind::Comma));
  }
}

}  // namespace

bool hide_parentheses(Node* node, Node* parent, bool around_commas_too) {
  if (!node->is(Kind::Atom) && !node->is(Kind::OrExpr)) {
    return false;
  }
  const bool empty_tuple = node->is(Kind::Atom) && node->children.size() == 2 &&
                           node->children[0]->is(Kind::LeftParen);
  if (empty_tuple || is_one_tuple(*node) ||
      (is_yield(*node) && !parent->is(Kind::ExprStmt)) ||
      (!around_commas_too && max_priority_in_atom(*node) >= kCommaPriority) ||
      group_has(*node, Kind::NamedExpr) || group_has(*node, Kind::StarExpr) ||
      group_has(*node, Kind::OldCompFor)) {
    return false;
  }
  const Node* inner = unwrapped(*node);
  if (inner && inner->is(Kind::NamedExpr) &&
      needs_walrus_parentheses(parent->kind)) {
    return false;
  }
  Node* first = node->children.front();
  Node* last = node->children.back();
  if (!first->is(Kind::LeftParen) || !last->is(Kind::RightParen)) {
    return true;
  }
  Node* middle = node->children[1];
  first->value.clear();
  last->value.clear();
  hide_parentheses(middle, parent, around_commas_too);
  if (is_invisible_atom(*middle)) {
    Node* content = middle->children[1];
    Node* content_first = first_leaf(content);
    std::swap(content_first->comments, middle->children[0]->comments);
    auto& after = middle->children.back()->comments;
    last->comments.insert(last->comments.begin(), after.begin(), after.end());
    replace_child(middle, content);
  }
  return false;
}

void normalize_parentheses(
    Tree& tree,
    Node* statement,
    std::initializer_list<std::string_view> after) {
  normalize(tree, statement, [&](const Node& leaf) {
    return leaf.is(Kind::Name) &&
           std::find(after.begin(), after.end(), leaf.value) != after.end();
  });
}

void normalize_assignment(Tree& tree, Node* statement) {
  normalize(tree, statement, [](const Node& leaf) {
    return leaf.is(Kind::Equal) || leaf.is(Kind::AugmentedEqual) ||
           leaf.is(Kind::Colon);
  });
}

}  // namespace portwright::emit::printing

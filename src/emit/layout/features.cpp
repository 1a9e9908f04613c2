#include "emit/layout/features.h"

#include <algorithm>

namespace portwright::emit::printing {

namespace {

bool has_child(const Node& node, Kind kind) {
  return std::any_of(
      node.children.begin(), node.children.end(), [&](const Node* child) {
        return child->is(kind);
      });
}

// A trailing comma behind stars among the arguments.
bool comma_behind_star(const Node& list) {
  if (!list.children.back()->is(Kind::Comma)) {
    return false;
  }
  return std::any_of(
      list.children.begin(), list.children.end(), [](const Node* child) {
        const Node* first =
            child->is(Kind::Argument) ? child->children[0] : child;
        return first->is(Kind::Star) || first->is(Kind::DoubleStar);
      });
}

bool is_fstring(const Node& leaf) {
  return leaf.value.substr(0, leaf.value.find_first_of("\"'"))
             .find_first_of("fF") != std::string::npos;
}

bool is_dotted_decorator(const Node& node) {
  if (node.is(Kind::Name)) {
    return true;
  }
  if (!node.is(Kind::Power) || !node.children[0]->is(Kind::Name)) {
    return false;
  }
  for (size_t i = 1; i < node.children.size(); ++i) {
    const Node& trailer = *node.children[i];
    const bool last = i + 1 == node.children.size();
    if (!trailer.is(Kind::Trailer) ||
        !(trailer.children[0]->is(Kind::Dot) ||
          (last && trailer.children[0]->is(Kind::LeftParen)))) {
      return false;
    }
  }
  return true;
}

bool holds_as(const Node& node) {
  if (node.is(Kind::AsExpr)) {
    return true;
  }
  if (node.is(Kind::Atom)) {
    return node.children.size() == 3 && node.children[0]->is(Kind::LeftParen) &&
           holds_as(*node.children[1]);
  }
  return node.is(Kind::GroupItems) &&
         std::any_of(
             node.children.begin(), node.children.end(), [](const Node* child) {
               return holds_as(*child);
             });
}

// The minor version of Python 3 that the node asks for.
int needed_version(const Node& node) {
  switch (node.kind) {
    case Kind::String:
      return is_fstring(node) ? 6 : 3;
    case Kind::Number:
      return node.value.find('_') != std::string::npos ? 6 : 3;
    case Kind::ColonEqual:
      return 8;
    case Kind::Slash:
      return node.parent_is(Kind::ParameterList) ||
                     node.parent_is(Kind::ArgumentList) ||
                     node.parent_is(Kind::LambdaParameters)
                 ? 8
                 : 3;
    case Kind::ParameterList:
      return comma_behind_star(node) ? 6 : 3;
    case Kind::ArgumentList:
      return comma_behind_star(node) ? 5 : 3;
    case Kind::Decorator:
      return is_dotted_decorator(*node.children[1]) ? 3 : 9;
    case Kind::ReturnStmt:
    case Kind::YieldExpr:
      return node.children.size() > 1 &&
                     node.children[1]->is(Kind::ImplicitTuple) &&
                     has_child(*node.children[1], Kind::StarExpr)
                 ? 8
                 : 3;
    case Kind::Annotation:
      return node.children.size() > 3 &&
                     node.children[3]->is(Kind::ImplicitTuple)
                 ? 8
                 : 3;
    case Kind::WithStmt:
      return node.children[1]->is(Kind::Atom) && holds_as(*node.children[1])
                 ? 9
                 : 3;
    case Kind::ExceptClause:
      return node.children[1]->is(Kind::Star) ? 11 : 3;
    case Kind::SubscriptList:
    case Kind::Trailer:
    case Kind::TypedStarName:
      return has_child(node, Kind::StarExpr) ? 11 : 3;
    case Kind::ImportFrom: {
      // from __future__ import annotations
      if (!node.children[1]->is_name("__future__")) {
        return 3;
      }
      bool annotations = false;
      each_leaf(const_cast<Node*>(&node), [&](const Node* leaf) {
        annotations = annotations || leaf->is_name("annotations");
      });
      return annotations ? 7 : 3;
    }
    default:
      return 3;
  }
}

}  // namespace

int least_version(const Node& node) {
  int out = needed_version(node);
  for (const Node* child : node.children) {
    out = std::max(out, least_version(*child));
  }
  return out;
}

}  // namespace portwright::emit::printing

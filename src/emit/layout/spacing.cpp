#include "emit/layout/spacing.h"

#include <optional>

namespace portwright::emit::printing {

namespace {

constexpr std::string_view kNone = "";
constexpr std::string_view kBlank = " ";

bool is_typed_name(Kind kind) {
  return kind == Kind::TypedName || kind == Kind::TypedStarName;
}

bool is_subscript_part(Kind kind) {
  return kind == Kind::Subscript || kind == Kind::SliceStep;
}

bool is_marker(Kind kind) {
  return kind == Kind::Star || kind == Kind::DoubleStar || kind == Kind::Slash;
}

// What in a subscript makes its colons wide.
bool contains_complex(const Node& node) {
  switch (node.kind) {
    case Kind::Ternary:
    case Kind::Lambda:
    case Kind::OrTest:
    case Kind::AndTest:
    case Kind::NotTest:
    case Kind::Comparison:
    case Kind::StarExpr:
    case Kind::OrExpr:
    case Kind::XorExpr:
    case Kind::AndExpr:
    case Kind::ShiftExpr:
    case Kind::ArithExpr:
    case Kind::Trailer:
    case Kind::Term:
    case Kind::Power:
    case Kind::NamedExpr:
      return true;
    default:
      break;
  }
  for (const Node* child : node.children) {
    if (contains_complex(*child)) {
      return true;
    }
  }
  return false;
}

// Whether the leaf stands in a slice of more than names and numbers.
bool in_complex_subscript(const Node& leaf, const BracketTracker& brackets) {
  const Node* open = brackets.open_subscript();
  const Node* start = open ? open->next_sibling() : nullptr;
  if (!start || start->is(Kind::ListItems)) {
    return false;
  }
  if (start->is(Kind::SubscriptList)) {
    const Node* list = start;
    start = &leaf;
    while (start && start->parent != list) {
      start = start->parent;
    }
  }
  return start && contains_complex(*start);
}

// By the leaf before, where the leaf is its parent's first.
std::optional<std::string_view> after_other_parent(
    const Node& leaf,
    const BracketTracker& brackets) {
  const Node* before = preceding_leaf(leaf.parent);
  if (!before || is_opening(before->kind)) {
    return kNone;
  }
  const Node* owner = before->parent;
  if (leaf.is(Kind::Colon)) {
    if (before->is(Kind::Colon)) {
      return kNone;
    }
    return before->is(Kind::Comma) || in_complex_subscript(leaf, brackets)
               ? kBlank
               : kNone;
  }
  if (before->is(Kind::Equal)) {
    if (!owner) {
      return std::nullopt;
    }
    switch (owner->kind) {
      case Kind::ArgumentList:
      case Kind::Argument:
      case Kind::Parameters:
      case Kind::LambdaParameters:
        return kNone;
      case Kind::ParameterList:
        return before->space;  // wide behind an annotation
      default:
        return std::nullopt;
    }
  }
  if (before->is(Kind::Star) && owner && owner->is(Kind::StarExpr) &&
      (owner->parent_is(Kind::SubscriptList) ||
       owner->parent_is(Kind::TypedStarName))) {
    return kNone;
  }
  if (is_marker(before->kind)) {
    return is_vararg(*before, true, true) ? std::optional(kNone) : std::nullopt;
  }
  if (before->is(Kind::Colon)) {
    if (owner && is_subscript_part(owner->kind)) {
      return in_complex_subscript(leaf, brackets) ? kBlank : kNone;
    }
    return std::nullopt;
  }
  if (owner && owner->is(Kind::Factor) && is_math(before->kind)) {
    return kNone;
  }
  if (before->is(Kind::At) && leaf.parent->parent_is(Kind::Decorator)) {
    return kNone;
  }
  return std::nullopt;
}

std::string_view in_parameter_list(const Node& leaf, const Node* before) {
  if (!before) {
    return kNone;
  }
  if (leaf.is(Kind::Equal)) {
    return is_typed_name(before->kind) ? kBlank : kNone;
  }
  if (before->is(Kind::Equal)) {
    return before->space;
  }
  return before->is(Kind::Comma) ? kBlank : kNone;
}

std::string_view in_argument(const Node& leaf, const Node* before) {
  if (leaf.is(Kind::Equal)) {
    return kNone;
  }
  if (!before) {
    const Node* previous = preceding_leaf(leaf.parent);
    return !previous || previous->is(Kind::LeftParen) ? kNone : kBlank;
  }
  return before->is(Kind::Equal) || is_marker(before->kind) ? kNone : kBlank;
}

std::string_view in_unary(const Node& leaf, const Node* before) {
  if (before) {
    return leaf.is(Kind::Name) || leaf.is(Kind::Number) || leaf.is(Kind::String)
               ? kNone
               : kBlank;
  }
  const Node* previous = preceding_leaf(leaf.parent);
  if (!previous || is_opening(previous->kind)) {
    return kNone;
  }
  const Node* owner = previous->parent;
  if (previous->is(Kind::Colon) && owner && is_subscript_part(owner->kind)) {
    return kNone;
  }
  if (previous->is(Kind::Equal) && owner && owner->is(Kind::Argument)) {
    return kNone;
  }
  return kBlank;
}

std::string_view in_subscript(
    const Node& leaf,
    const Node* before,
    const BracketTracker& brackets) {
  if (!before) {
    return leaf.parent->parent_is(Kind::SubscriptList) ? kBlank : kNone;
  }
  return in_complex_subscript(leaf, brackets) ? kBlank : kNone;
}

std::string_view in_dotted_name(const Node& leaf, const Node* before) {
  if (before) {
    return kNone;
  }
  const Node* previous = preceding_leaf(leaf.parent);
  return !previous || previous->is(Kind::At) || previous->is(Kind::Dot)
             ? kNone
             : kBlank;
}

}  // namespace

std::string_view spacing(const Node& leaf, const BracketTracker& brackets) {
  if (is_closing(leaf.kind) || leaf.is(Kind::Comma) ||
      leaf.is(Kind::StandaloneComment)) {
    return kNone;
  }
  if (leaf.is(Kind::Comment)) {
    return "  ";
  }
  if (!leaf.parent) {
    return kNone;
  }
  const Node& parent = *leaf.parent;
  if (leaf.is(Kind::Colon) && !is_subscript_part(parent.kind) &&
      !parent.is(Kind::SubscriptList)) {
    return kNone;
  }
  const Node* before = leaf.previous_sibling();
  if (!before) {
    if (const auto out = after_other_parent(leaf, brackets)) {
      return *out;
    }
  } else if (is_opening(before->kind)) {
    return kNone;
  }
  switch (parent.kind) {
    case Kind::Parameters:
    case Kind::ArgumentList:
      return before && before->is(Kind::Comma) ? kBlank : kNone;
    case Kind::LambdaParameters:
      return before && !before->is(Kind::Comma) ? kNone : kBlank;
    case Kind::ParameterList:
      return in_parameter_list(leaf, before);
    case Kind::TypedName:
    case Kind::TypedStarName:
      if (!before) {
        const Node* previous = preceding_leaf(&parent);
        return previous && previous->is(Kind::Comma) ? kBlank : kNone;
      }
      return kBlank;
    case Kind::Trailer:
      if (leaf.is(Kind::LeftParen)) {
        return kNone;
      }
      if (!before) {
        return leaf.is(Kind::Dot) || leaf.is(Kind::LeftBracket) ? kNone
                                                                : kBlank;
      }
      return before->is(Kind::Comma) ? kBlank : kNone;
    case Kind::Argument:
      return in_argument(leaf, before);
    case Kind::Decorator:
      return kNone;
    case Kind::DottedName:
      return in_dotted_name(leaf, before);
    case Kind::ClassDef:
      return leaf.is(Kind::LeftParen) ? kNone : kBlank;
    case Kind::Subscript:
    case Kind::SliceStep:
      return in_subscript(leaf, before, brackets);
    case Kind::Atom:
      return before && leaf.is(Kind::Dot) ? kNone : kBlank;
    case Kind::DictItems:
      return before && before->is(Kind::DoubleStar) ? kNone : kBlank;
    case Kind::Factor:
    case Kind::StarExpr:
      return in_unary(leaf, before);
    case Kind::ImportFrom:
      if (before && before->is(Kind::Dot)) {
        return leaf.is(Kind::Dot) ||
                       (leaf.is(Kind::Name) && leaf.value != "import")
                   ? kNone
                   : kBlank;
      }
      return kBlank;
    case Kind::ExceptClause:
      return leaf.is(Kind::Star) ? kNone : kBlank;
    default:
      return kBlank;
  }
}

}  // namespace portwright::emit::printing

#include "emit/layout/brackets.h"

#include <algorithm>

#include "base/check.h"

namespace portwright::emit::printing {

namespace {

Kind closing_of(Kind open) {
  return open == Kind::LeftParen     ? Kind::RightParen
         : open == Kind::LeftBracket ? Kind::RightBracket
                                     : Kind::RightBrace;
}

int math_priority(Kind kind) {
  switch (kind) {
    case Kind::VerticalBar:
      return kOrPriority;
    case Kind::Caret:
      return kXorPriority;
    case Kind::Ampersand:
      return kAndPriority;
    case Kind::Shift:
      return kShiftPriority;
    case Kind::Plus:
    case Kind::Minus:
      return kArithPriority;
    case Kind::Tilde:
      return kTildePriority;
    case Kind::DoubleStar:
      return kPowerPriority;
    default:
      return kTermPriority;
  }
}

int word_priority(const Node& leaf, const Node* previous) {
  const std::string& word = leaf.value;
  const auto after = [&](std::string_view text) {
    return previous && previous->is_name(text);
  };
  const Node* sibling = leaf.previous_sibling();
  const bool after_async = sibling && sibling->is(Kind::Async);
  if (leaf.is(Kind::Async) ||
      (word == "for" &&
       (leaf.parent_is(Kind::CompFor) || leaf.parent_is(Kind::OldCompFor)))) {
    return after_async ? kNoDelimiter : kComprehensionPriority;
  }
  if (word == "if" && leaf.parent_is(Kind::CompIf)) {
    return kComprehensionPriority;
  }
  if ((word == "if" || word == "else") && leaf.parent_is(Kind::Ternary)) {
    return kTernaryPriority;
  }
  if (word == "is") {
    return kComparatorPriority;
  }
  if (word == "in" &&
      (leaf.parent_is(Kind::CompareOp) || leaf.parent_is(Kind::Comparison)) &&
      !after("not")) {
    return kComparatorPriority;
  }
  if (word == "not" && leaf.parent_is(Kind::CompareOp) && !after("is")) {
    return kComparatorPriority;
  }
  if ((word == "and" || word == "or") && leaf.parent) {
    return kLogicPriority;
  }
  return kNoDelimiter;
}

// The priority of a break in front of the leaf.
int priority_before(const Node& leaf, const Node* previous) {
  if (is_vararg(leaf, true, true)) {
    return kNoDelimiter;
  }
  if (leaf.is(Kind::Dot)) {
    const bool dotted = !leaf.parent || leaf.parent_is(Kind::ImportFrom) ||
                        leaf.parent_is(Kind::DottedName);
    return !dotted && (!previous || is_closing(previous->kind)) ? kDotPriority
                                                                : kNoDelimiter;
  }
  if (is_math(leaf.kind)) {
    return leaf.parent && !leaf.parent_is(Kind::Factor) &&
                   !leaf.parent_is(Kind::StarExpr)
               ? math_priority(leaf.kind)
               : kNoDelimiter;
  }
  if (leaf.is(Kind::Comparator)) {
    return kComparatorPriority;
  }
  if (leaf.is(Kind::String)) {
    return previous && previous->is(Kind::String) ? kStringPriority
                                                  : kNoDelimiter;
  }
  if (!leaf.is(Kind::Name) && !leaf.is(Kind::Async)) {
    return kNoDelimiter;
  }
  return word_priority(leaf, previous);
}

}  // namespace

std::vector<BracketTracker::Open>::iterator BracketTracker::find_open(
    int depth,
    Kind close) {
  return std::find_if(open_.begin(), open_.end(), [&](const Open& open) {
    return open.depth == depth && open.close == close;
  });
}

void BracketTracker::mark(Node* leaf) {
  if (leaf->is(Kind::Comment)) {
    return;
  }
  if (depth_ == 0 && is_closing(leaf->kind) &&
      find_open(0, leaf->kind) == open_.end()) {
    return;  // its opening bracket stands on an earlier line
  }
  if (!for_depths_.empty() && for_depths_.back() == depth_ &&
      leaf->is_name("in")) {
    --depth_;
    for_depths_.pop_back();
  }
  if (!lambda_depths_.empty() && lambda_depths_.back() == depth_ &&
      leaf->is(Kind::Colon)) {
    --depth_;
    lambda_depths_.pop_back();
  }
  if (is_closing(leaf->kind)) {
    --depth_;
    const auto open = find_open(depth_, leaf->kind);
    PW_CHECK(open != open_.end(), "a closing bracket that matches none");
    leaf->opening = open->bracket;
    open_.erase(open);
    if (leaf->value.empty()) {
      invisible_.push_back(leaf);
    }
  }
  leaf->depth = depth_;
  if (depth_ == 0) {
    const int before = priority_before(*leaf, previous_);
    if (before && previous_) {
      if (!delimiters_.empty() && delimiters_.back().first == previous_) {
        delimiters_.back().second = before;
      } else {
        delimiters_.emplace_back(previous_, before);
      }
    } else if (leaf->is(Kind::Comma)) {
      delimiters_.emplace_back(leaf, kCommaPriority);
    }
  }
  if (is_opening(leaf->kind)) {
    open_.push_back({depth_, closing_of(leaf->kind), leaf});
    ++depth_;
    if (leaf->value.empty()) {
      invisible_.push_back(leaf);
    }
  }
  previous_ = leaf;
  if (leaf->is_name("lambda")) {
    lambda_depths_.push_back(++depth_);
  }
  if (leaf->is_name("for")) {
    for_depths_.push_back(++depth_);
  }
}

const Node* BracketTracker::open_subscript() const {
  for (const Open& open : open_) {
    if (open.depth == depth_ - 1 && open.close == Kind::RightBracket) {
      return open.bracket;
    }
  }
  return nullptr;
}

int BracketTracker::max_priority(const Node* exclude) const {
  int out = kNoDelimiter;
  for (const auto& [leaf, priority] : delimiters_) {
    if (leaf != exclude) {
      out = std::max(out, priority);
    }
  }
  return out;
}

int BracketTracker::count(int priority) const {
  return static_cast<int>(std::count_if(
      delimiters_.begin(), delimiters_.end(), [&](const auto& entry) {
        return entry.second == priority;
      }));
}

int max_priority_in_atom(const Node& atom) {
  if (!atom.is(Kind::Atom) || !atom.children.front()->is(Kind::LeftParen) ||
      !atom.children.back()->is(Kind::RightParen)) {
    return kNoDelimiter;
  }
  BracketTracker tracker;
  for (size_t i = 1; i + 1 < atom.children.size(); ++i) {
    each_leaf(atom.children[i], [&](Node* leaf) { tracker.mark(leaf); });
  }
  return tracker.max_priority();
}

std::vector<bool> inside_matching_brackets(const std::vector<Node*>& leaves) {
  std::vector<bool> out(leaves.size(), false);
  size_t at = 0;
  while (at < leaves.size() && !is_opening(leaves[at]->kind)) {
    ++at;
  }
  std::vector<std::pair<Kind, size_t>> stack;
  for (; at < leaves.size(); ++at) {
    const Kind kind = leaves[at]->kind;
    if (is_opening(kind)) {
      stack.emplace_back(closing_of(kind), at);
    } else if (is_closing(kind)) {
      if (stack.empty() || stack.back().first != kind) {
        break;
      }
      std::fill(
          out.begin() + static_cast<std::ptrdiff_t>(stack.back().second),
          out.begin() + static_cast<std::ptrdiff_t>(at) + 1,
          true);
      stack.pop_back();
    }
  }
  return out;
}

}  // namespace portwright::emit::printing

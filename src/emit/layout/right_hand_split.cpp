#include <algorithm>

#include "emit/layout/split.h"

namespace portwright::emit::printing {

namespace {

// Head, body and tail at the last brackets that are not omitted.
std::optional<RightHandSplit>
first_right_hand_split(Tree& tree, const Line& line, const Omit& omit) {
  const auto& leaves = line.leaves;
  // From the end back: the tail up to a closing bracket, the body up to its
  // opening one (an empty body lets the search go on in the tail), the head.
  size_t close = leaves.size();
  size_t open = leaves.size();
  Node* opening = nullptr;
  Node* closing = nullptr;
  enum { Tail, Body, Head } in = Tail;
  for (size_t i = leaves.size(); i-- > 0;) {
    Node* leaf = leaves[i];
    if (in == Body && leaf == opening) {
      in = i + 1 < close ? Head : Tail;
      open = i;
    }
    if (in == Tail && is_closing(leaf->kind) && !omit.contains(leaf)) {
      opening = leaf->opening;
      closing = leaf;
      close = i;
      in = Body;
    }
    if (in == Head) {
      break;
    }
  }
  if (!opening || in != Head) {
    return std::nullopt;
  }
  const auto at = [&](size_t i) {
    return leaves.begin() + static_cast<std::ptrdiff_t>(i);
  };
  RightHandSplit out{
      build_part(tree, {at(0), at(open + 1)}, line, opening, Part::Head),
      build_part(tree, {at(open + 1), at(close)}, line, opening, Part::Body),
      build_part(tree, {at(close), leaves.end()}, line, opening, Part::Tail),
      opening,
      closing};
  if (!worth_splitting(out.body, out.tail)) {
    return std::nullopt;
  }
  return out;
}

// No only for what surely cannot be split.
bool can_be_split(const Line& line) {
  const auto& leaves = line.leaves;
  if (leaves.size() < 2) {
    return false;
  }
  if (!leaves[0]->is(Kind::String) || !leaves[1]->is(Kind::Dot)) {
    return true;
  }
  int calls = 0;
  int dots = 0;
  const Node* next = leaves.back();
  for (size_t i = leaves.size() - 1; i-- > 0;) {
    const Node& leaf = *leaves[i];
    if (is_opening(leaf.kind)) {
      if (!is_closing(next->kind)) {
        return false;
      }
      ++calls;
    } else if (leaf.is(Kind::Dot)) {
      ++dots;
    } else if (leaf.is(Kind::Name)) {
      if (!next->is(Kind::Dot) && !is_opening(next->kind)) {
        return false;
      }
    } else if (!is_closing(leaf.kind)) {
      return false;
    }
    if (dots > 1 && calls > 1) {
      return false;
    }
  }
  return true;
}

Split split_or_omit_parentheses(
    Tree& tree,
    RightHandSplit split,
    const Line& line,
    const Features& features,
    const Omit& omit) {
  const bool optional =
      split.opening->is(Kind::LeftParen) && split.opening->value.empty() &&
      split.closing->is(Kind::RightParen) && split.closing->value.empty();
  if (!features.force_parentheses && optional && !line.is_import() &&
      can_omit_parentheses(split)) {
    Omit more = omit;
    more.insert(split.closing);
    bool failed = true;
    if (auto inner = first_right_hand_split(tree, line, more)) {
      failed = false;
      if (prefer_inner_split(*inner, split)) {
        Split out = split_or_omit_parentheses(
            tree, std::move(*inner), line, features, more);
        if (out) {
          return out;
        }
        failed = true;
      }
    }
    if (failed && !line.is_chained_assignment()) {
      if (!can_be_split(split.body) && !fits(split.body)) {
        return std::nullopt;
      }
      if (split.head.has_multiline_strings() ||
          split.tail.has_multiline_strings()) {
        return std::nullopt;
      }
    }
  }
  make_visible(split.opening);
  make_visible(split.closing);
  Lines out;
  for (Line* part : {&split.head, &split.body, &split.tail}) {
    if (!part->empty()) {
      out.push_back(std::move(*part));
    }
  }
  return out;
}

}  // namespace

Split right_hand_split(
    Tree& tree,
    const Line& line,
    const Features& features,
    const Omit& omit) {
  auto split = first_right_hand_split(tree, line, omit);
  if (!split) {
    return std::nullopt;
  }
  return split_or_omit_parentheses(
      tree, std::move(*split), line, features, omit);
}

Split best_right_hand_split(
    Tree& tree,
    const Line& line,
    const Features& features) {
  Split out;
  const bool done = each_trailers_to_omit(line, [&](const Omit& omit) {
    out = right_hand_split(tree, line, features, omit);
    return !out || fits((*out)[0]);
  });
  if (done) {
    return out;
  }
  return right_hand_split(tree, line, features, {});
}

Split left_hand_split(Tree& tree, const Line& line) {
  const auto& leaves = line.leaves;
  for (Kind kind : {Kind::LeftParen, Kind::LeftBracket}) {
    // The first brackets of the kind that hold something.
    size_t open = leaves.size();
    size_t close = leaves.size();
    for (size_t i = 0; i < leaves.size(); ++i) {
      if (open == leaves.size() && leaves[i]->is(kind)) {
        open = i;
      } else if (
          open < leaves.size() && is_closing(leaves[i]->kind) &&
          leaves[i]->opening == leaves[open]) {
        if (i > open + 1) {
          close = i;
          break;
        }
        open = leaves.size();
      }
    }
    if (close == leaves.size()) {
      continue;
    }
    make_visible(leaves[open]);
    make_visible(leaves[close]);
    const auto at = [&](size_t i) {
      return leaves.begin() + static_cast<std::ptrdiff_t>(i);
    };
    const Node* opening = leaves[open];
    Lines out;
    out.push_back(
        build_part(tree, {at(0), at(open + 1)}, line, opening, Part::Head));
    out.push_back(
        build_part(tree, {at(open + 1), at(close)}, line, opening, Part::Body));
    out.push_back(
        build_part(tree, {at(close), leaves.end()}, line, opening, Part::Tail));
    return out;
  }
  return std::nullopt;
}

}  // namespace portwright::emit::printing

#include <algorithm>

#include "emit/layout/split.h"
#include "emit/layout/strings.h"

namespace portwright::emit::printing {

namespace {

// The length of a leaf with its comments.
size_t length(const Line& line, const Node* leaf) {
  size_t out = leaf->space.size() + text_length(leaf->value);
  line.each_comment(
      leaf, [&](const Node* comment) { out += text_length(comment->value); });
  return out;
}

bool is_multiline(const Node* leaf) {
  return leaf->value.find('\n') != std::string::npos;
}

// What follows the leading brackets is short, or has brackets of its own.
bool can_omit_opening(const Line& line, const Node* first) {
  bool remainder = false;
  size_t total = 4 * static_cast<size_t>(line.depth);
  for (const Node* leaf : line.leaves) {
    if (is_multiline(leaf)) {
      return false;
    }
    if (is_closing(leaf->kind) && leaf->opening == first) {
      remainder = true;
    }
    if (remainder) {
      total += length(line, leaf);
      if (total > kLineLength) {
        return false;
      }
      if (is_opening(leaf->kind)) {
        remainder = false;
      }
    }
  }
  return true;
}

// What precedes the trailing brackets is short, or has brackets of its own.
bool can_omit_closing(const Line& line, const Node* last) {
  size_t total = 4 * static_cast<size_t>(line.depth);
  bool other_brackets = false;
  for (const Node* leaf : line.leaves) {
    if (is_multiline(leaf)) {
      return false;
    }
    total += length(line, leaf);
    if (leaf == last->opening) {
      if (other_brackets || total <= kLineLength) {
        return true;
      }
    } else if (is_opening(leaf->kind)) {
      other_brackets = true;
    }
  }
  return false;
}

// Standalone comments outside the body's own brackets need parentheses.
bool has_bare_comments(const Line& line) {
  const Node* closing = nullptr;
  for (size_t i = line.leaves.size(); i-- > 0;) {
    const Node* leaf = line.leaves[i];
    if (closing && leaf == closing->opening) {
      closing = nullptr;
    }
    if (leaf->is(Kind::StandaloneComment) && !closing) {
      return true;
    }
    if (!closing && is_closing(leaf->kind) && !leaf->value.empty() &&
        std::find(line.leaves.begin(), line.leaves.end(), leaf->opening) !=
            line.leaves.end()) {
      closing = leaf;
    }
  }
  return false;
}

size_t equal_signs(const Line& line) {
  return static_cast<size_t>(std::count_if(
      line.leaves.begin(), line.leaves.end(), [](const Node* leaf) {
        return leaf->is(Kind::Equal);
      }));
}

}  // namespace

bool can_omit_parentheses(const RightHandSplit& split) {
  const Line& line = split.body;
  if (line.has_standalone_comments() && has_bare_comments(line)) {
    return false;
  }
  if (!line.brackets.has_delimiters()) {
    return true;
  }
  const int priority = line.brackets.max_priority();
  const int count = line.brackets.count(priority);
  if (count > 1 ||
      (count == 1 && priority == kCommaPriority && split.head.is_with())) {
    return false;
  }
  if (priority == kDotPriority) {
    return true;
  }
  const Node* first = line.leaves[0];
  if (is_opening(first->kind) && !is_closing(line.leaves[1]->kind) &&
      can_omit_opening(line, first)) {
    return true;
  }
  const Node* last = line.leaves.back();
  const Node* penultimate = line.leaves[line.leaves.size() - 2];
  if (last->is(Kind::RightParen) || last->is(Kind::RightBrace) ||
      (last->is(Kind::RightBracket) && last->parent &&
       !last->parent_is(Kind::Trailer))) {
    if (is_opening(penultimate->kind)) {
      return false;
    }
    return is_multiline_string(*first) || can_omit_closing(line, last);
  }
  return false;
}

bool prefer_inner_split(
    const RightHandSplit& inner,
    const RightHandSplit& split) {
  if (inner.head.has_type_ignore() || inner.body.has_type_ignore() ||
      inner.tail.has_type_ignore()) {
    return true;
  }
  const auto& head = split.head.leaves;
  const auto is_bracket = [](const Node* leaf) {
    return is_opening(leaf->kind) || is_closing(leaf->kind);
  };
  // Only where the split stands right behind `=`, and the target has brackets
  // and is short, is there a choice.
  if (head.size() < 2 || !head[head.size() - 2]->is(Kind::Equal) ||
      std::none_of(head.begin(), head.end() - 1, is_bracket) ||
      !fits(split.head, kLineLength - 1) || split.head.magic_trailing_comma) {
    return true;
  }
  const size_t targets = equal_signs(split.head);
  if (targets > 1 && targets > equal_signs(inner.head)) {
    return false;
  }
  for (size_t i = inner.head.leaves.size(); i-- > 0;) {
    const Node* leaf = inner.head.leaves[i];
    if (leaf->is(Kind::Equal)) {
      break;
    }
    if (is_closing(leaf->kind)) {
      return true;
    }
  }
  return equal_signs(inner.head) > 0 && fits(inner.head);
}

bool each_trailers_to_omit(
    const Line& line,
    const std::function<bool(const Omit&)>& attempt) {
  Omit omit;
  if (!line.magic_trailing_comma && attempt(omit)) {
    return true;
  }
  size_t total = 4 * static_cast<size_t>(line.depth);
  const Node* opening = nullptr;
  const Node* closing = nullptr;
  std::vector<const Node*> inner;
  for (size_t i = line.leaves.size(); i-- > 0;) {
    const Node* leaf = line.leaves[i];
    if (is_multiline(leaf)) {
      break;
    }
    const size_t with_comments = length(line, leaf);
    total += with_comments;
    if (total > kLineLength || leaf->is(Kind::StandaloneComment) ||
        with_comments > leaf->space.size() + text_length(leaf->value)) {
      break;
    }
    const Node* before = i > 0 ? line.leaves[i - 1] : nullptr;
    const bool trailing_comma =
        is_closing(leaf->kind) && before && before->is(Kind::Comma) &&
        leaf->opening && !is_one_sequence(leaf->opening, leaf, line.leaves);
    if (opening) {
      if (leaf == opening) {
        opening = nullptr;
      } else if (is_closing(leaf->kind)) {
        if (trailing_comma) {
          break;
        }
        inner.push_back(leaf);
      }
    } else if (is_closing(leaf->kind)) {
      if (before && is_opening(before->kind)) {
        inner.push_back(leaf);
        continue;
      }
      if (closing) {
        omit.insert(closing);
        omit.insert(inner.begin(), inner.end());
        inner.clear();
        if (attempt(omit)) {
          return true;
        }
      }
      if (trailing_comma) {
        break;
      }
      if (!leaf->value.empty()) {
        opening = leaf->opening;
        closing = leaf;
      }
    }
  }
  return false;
}

}  // namespace portwright::emit::printing

#include <algorithm>
#include <unordered_map>

#include "emit/layout/split.h"

namespace portwright::emit::printing {

namespace {

Line continued(const Line& line) {
  return Line{.depth = line.depth, .inside_brackets = line.inside_brackets};
}

// Appends, on a new line where a standalone comment demands one.
void append(Line& current, Node* leaf, Lines& out) {
  if (!current.append_if_fits_comments(leaf)) {
    Line next = continued(current);
    out.push_back(std::move(current));
    current = std::move(next);
    current.append(leaf);
  }
}

void append_comments(
    const Line& line,
    const Node* leaf,
    Line& current,
    Lines& out) {
  line.each_comment(
      leaf, [&](Node* comment) { append(current, comment, out); });
}

void end_with_comma(Tree& tree, Line& line) {
  const Node* last = line.leaves.back();
  if (!last->is(Kind::Comma) && !last->is(Kind::StandaloneComment)) {
    line.append(tree.leaf(Kind::Comma, ","));
  }
}

bool allows_trailing_comma(const Node& leaf, const Features& features) {
  if (!is_vararg(leaf, true, false)) {
    return true;
  }
  const Node* parent =
      leaf.parent->is(Kind::StarExpr) ? leaf.parent->parent : leaf.parent;
  switch (parent->kind) {
    case Kind::ParameterList:
      return features.comma_after_star_in_def;
    case Kind::ArgumentList:
    case Kind::Argument:
      return features.comma_after_star_in_call;
    default:
      return true;
  }
}

void start_flush(Lines& lines) {
  for (Line& line : lines) {
    line.leaves[0]->space = "";
  }
}

}  // namespace

Split delimiter_split(Tree& tree, const Line& line, const Features& features) {
  if (line.leaves.empty()) {
    return std::nullopt;
  }
  const Node* last = line.leaves.back();
  const int priority = line.brackets.max_priority(last);
  if (priority == kNoDelimiter ||
      (priority == kDotPriority && line.brackets.count(priority) == 1)) {
    return std::nullopt;
  }
  std::unordered_map<const Node*, int> priorities;
  for (const auto& [leaf, p] : line.brackets.delimiters()) {
    priorities[leaf] = p;
  }
  const auto priority_at = [&](size_t i) {
    const auto found = priorities.find(line.leaves[i]);
    return found == priorities.end() ? int{kNoDelimiter} : found->second;
  };
  size_t last_code = line.leaves.size() - 1;
  while (last_code > 0 && line.leaves[last_code]->is(Kind::StandaloneComment)) {
    --last_code;
  }
  const bool comments_stay =
      priority == kCommaPriority || priority == kStringPriority;
  Lines out;
  Line current = continued(line);
  int lowest = INT32_MAX;
  bool comma_is_safe = true;
  for (size_t i = 0; i < line.leaves.size(); ++i) {
    Node* leaf = line.leaves[i];
    append(current, leaf, out);
    if (i == 0 || priority_at(i - 1) != priority || comments_stay) {
      append_comments(line, leaf, current, out);
    }
    lowest = std::min(lowest, leaf->depth);
    if (comma_is_safe && leaf->depth == lowest) {
      comma_is_safe = allows_trailing_comma(*leaf, features);
    }
    const bool wants_comma = comma_is_safe && priority == kCommaPriority;
    if (wants_comma && i == last_code && last_code > 0 &&
        last->is(Kind::StandaloneComment)) {
      end_with_comma(tree, current);
    }
    if (priority_at(i) == priority) {
      if (i + 1 < line.leaves.size() && !comments_stay) {
        append_comments(line, line.leaves[i + 1], current, out);
      }
      out.push_back(std::move(current));
      current = continued(line);
    }
  }
  if (!current.empty()) {
    if (comma_is_safe && priority == kCommaPriority) {
      end_with_comma(tree, current);
    }
    out.push_back(std::move(current));
  }
  start_flush(out);
  return out;
}

Split standalone_comment_split(const Line& line) {
  if (!line.has_standalone_comments()) {
    return std::nullopt;
  }
  Lines out;
  Line current = continued(line);
  for (Node* leaf : line.leaves) {
    append(current, leaf, out);
    append_comments(line, leaf, current, out);
  }
  if (!current.empty()) {
    out.push_back(std::move(current));
  }
  start_flush(out);
  return out;
}

namespace {

// Walking back from `**`: a chain of names and calls is left at its first leaf
// that does not hang on the one behind it.
bool goes_on_backwards(const Node& leaf, const Node& behind) {
  switch (behind.kind) {
    case Kind::Name:
      return leaf.is(Kind::Dot);
    case Kind::RightParen:
    case Kind::RightBracket:
      return leaf.is(Kind::RightBracket) || leaf.is(Kind::RightParen);
    case Kind::LeftParen:
    case Kind::LeftBracket:
      return leaf.is(Kind::Name) || leaf.is(Kind::LeftParen) ||
             leaf.is(Kind::LeftBracket);
    default:
      return false;
  }
}

bool is_simple_base(const std::vector<Node*>& leaves, size_t index) {
  bool bracket = false;
  for (size_t i = index;; --i) {
    const Node& leaf = *leaves[i];
    bracket =
        bracket || leaf.is(Kind::RightParen) || leaf.is(Kind::RightBracket);
    if (i < index && !goes_on_backwards(leaf, *leaves[i + 1])) {
      return !bracket;
    }
    if (i == 0) {
      return true;
    }
  }
}

bool is_simple_exponent(const std::vector<Node*>& leaves, size_t index) {
  for (; index < leaves.size(); ++index) {
    const Node& leaf = *leaves[index];
    if (leaf.is(Kind::LeftParen) || leaf.is(Kind::LeftBracket)) {
      return false;
    }
    if ((!leaf.is(Kind::Name) && !leaf.is(Kind::Dot)) || leaf.is_name("for")) {
      return true;
    }
  }
  return true;
}

bool is_simple_operand(
    const std::vector<Node*>& leaves,
    size_t index,
    bool exponent) {
  const auto is_word = [](const Node& leaf) {
    return leaf.is(Kind::Name) || leaf.is(Kind::Number);
  };
  const Node& start = *leaves[index];
  if (is_word(start)) {
    return exponent ? is_simple_exponent(leaves, index)
                    : is_simple_base(leaves, index);
  }
  const bool sign =
      start.is(Kind::Plus) || start.is(Kind::Minus) || start.is(Kind::Tilde);
  return sign && index + 1 < leaves.size() && is_word(*leaves[index + 1]) &&
         is_simple_exponent(leaves, index + 1);
}

}  // namespace

Split hug_power_operators(Tree& tree, const Line& line) {
  const auto is_power = [](const Node* leaf) {
    return leaf->is(Kind::DoubleStar);
  };
  if (std::none_of(line.leaves.begin(), line.leaves.end(), is_power)) {
    return std::nullopt;
  }
  Line out{
      .depth = line.depth,
      .inside_brackets = line.inside_brackets,
      .should_split = line.should_split,
      .magic_trailing_comma = line.magic_trailing_comma};
  bool hug = false;
  for (size_t i = 0; i < line.leaves.size(); ++i) {
    Node* leaf = tree.detached(*line.leaves[i]);
    if (hug) {
      leaf->space = "";
    }
    hug = i > 0 && i + 1 < line.leaves.size() && is_power(leaf) &&
          is_simple_operand(line.leaves, i - 1, false) &&
          !line.leaves[i - 1]->is_name("lambda") &&
          is_simple_operand(line.leaves, i + 1, true);
    if (hug) {
      leaf->space = "";
    }
    out.append_spaced(leaf);
    line.each_comment(
        line.leaves[i], [&](Node* comment) { out.append_spaced(comment); });
  }
  Lines lines;
  lines.push_back(std::move(out));
  return lines;
}

}  // namespace portwright::emit::printing

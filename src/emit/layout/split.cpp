#include "emit/layout/split.h"

#include <algorithm>

namespace portwright::emit::printing {

namespace {

enum class Way {
  LeftHand,
  Delimiters,
  StandaloneComments,
  RightHand,
  HugPowers
};

// A magic trailing comma in the result's annotation is to be respected first.
bool result_has_magic_comma(const Line& line) {
  std::vector<Node*> leaves;
  bool inside = false;
  for (Node* leaf : line.leaves) {
    if (leaf->is(Kind::Colon)) {
      inside = false;
    }
    if (inside) {
      leaves.push_back(leaf);
    }
    if (leaf->is(Kind::Arrow)) {
      inside = true;
    }
  }
  Line result{.depth = line.depth};
  const std::vector<bool> tracked = inside_matching_brackets(leaves);
  for (size_t i = 0; i < leaves.size(); ++i) {
    result.append_spaced(leaves[i], tracked[i]);
  }
  return result.magic_trailing_comma != nullptr;
}

// Adjacent strings of which one carries a comment.
bool has_commented_strings(const Line& line) {
  for (size_t i = 0; i + 1 < line.leaves.size(); ++i) {
    if (!line.leaves[i]->is(Kind::String) ||
        !line.leaves[i + 1]->is(Kind::String)) {
      continue;
    }
    for (const auto& [owner, comment] : line.comments) {
      if (owner == line.leaves[i] || owner == line.leaves[i + 1]) {
        return true;
      }
    }
  }
  return false;
}

Split split_once(
    Tree& tree,
    const Line& line,
    Way way,
    const Features& features) {
  switch (way) {
    case Way::LeftHand:
      return left_hand_split(tree, line);
    case Way::Delimiters:
      return delimiter_split(tree, line, features);
    case Way::StandaloneComments:
      return standalone_comment_split(line);
    case Way::RightHand:
      return best_right_hand_split(tree, line, features);
    case Way::HugPowers:
      return hug_power_operators(tree, line);
  }
  return std::nullopt;
}

// The same leaves, spaced and tracked anew, in the place of the old ones.
Line copy_line(Tree& tree, const Line& line) {
  Line out{
      .depth = line.depth,
      .inside_brackets = line.inside_brackets,
      .should_split = line.should_split,
      .magic_trailing_comma = line.magic_trailing_comma};
  for (Node* leaf : line.leaves) {
    Node* fresh = tree.replace_leaf(leaf);
    out.append(fresh);
    line.each_comment(leaf, [&](Node* comment) { out.append_spaced(comment); });
  }
  return out;
}

Split transformed(
    Tree& tree,
    const Line& line,
    const std::string& text,
    Way way,
    const Features& features) {
  Split once = split_once(tree, line, way, features);
  if (!once) {
    return std::nullopt;
  }
  Lines result;
  for (Line& part : *once) {
    if (part.text() == text) {
      return std::nullopt;  // nothing changed
    }
    split_line(tree, std::move(part), features, result);
  }
  const auto& invisible = line.brackets.invisible();
  const auto is_visible = [](const Node* leaf) { return !leaf->value.empty(); };
  const auto is_loose = [](const Node* leaf) { return !leaf->parent; };
  if (features.force_parentheses || way != Way::RightHand ||
      invisible.empty() ||
      std::any_of(invisible.begin(), invisible.end(), is_visible) ||
      line.has_multiline_strings() || result.empty() ||
      result[0].has_type_ignore() || fits(result[0]) ||
      std::any_of(line.leaves.begin(), line.leaves.end(), is_loose)) {
    return result;
  }
  Features forced = features;
  forced.force_parentheses = true;
  Split second = transformed(tree, copy_line(tree, line), text, way, forced);
  if (second &&
      std::all_of(second->begin(), second->end(), [](const Line& part) {
        return fits(part);
      })) {
    return second;
  }
  return result;
}

}  // namespace

void split_line(Tree& tree, Line line, const Features& features, Lines& out) {
  if (line.is_comment()) {
    out.push_back(std::move(line));
    return;
  }
  const std::string text = line.text();
  const Split hugged = hug_power_operators(tree, line);
  const std::string hugged_text = hugged ? (*hugged)[0].text() : text;
  std::vector<Way> ways;
  if (!line.should_split && !line.magic_trailing_comma &&
      (fits(line, hugged_text) || line.has_type_ignore()) &&
      !(line.inside_brackets && line.has_standalone_comments()) &&
      !has_commented_strings(line)) {
    ways = {};
  } else if (line.is_def() && !result_has_magic_comma(line)) {
    ways = {Way::LeftHand};
  } else if (line.inside_brackets) {
    ways = {Way::Delimiters, Way::StandaloneComments, Way::RightHand};
  } else {
    ways = {Way::RightHand};
  }
  if (hugged) {
    ways.push_back(Way::HugPowers);
  }
  for (Way way : ways) {
    if (Split result = transformed(tree, line, text, way, features)) {
      std::move(result->begin(), result->end(), std::back_inserter(out));
      return;
    }
  }
  out.push_back(std::move(line));
}

bool worth_splitting(const Line& body, const Line& tail) {
  if (!body.empty()) {
    return true;
  }
  const std::string text = tail.text();
  const size_t begin = text.find_first_not_of(' ');
  return begin != std::string::npos && text.size() - begin >= 3;
}

void make_visible(Node* bracket) {
  if (bracket->is(Kind::LeftParen)) {
    bracket->value = "(";
  } else if (bracket->is(Kind::RightParen)) {
    bracket->value = ")";
  }
}

namespace {

enum class Annotation { None, Result, Parameter };

Annotation annotation_of(const Node& leaf) {
  for (const Node* node = leaf.parent; node; node = node->parent) {
    const Node* before = node->previous_sibling();
    if (before && before->is(Kind::Arrow)) {
      return Annotation::Result;
    }
    if (node->parent_is(Kind::TypedName)) {
      return Annotation::Parameter;
    }
  }
  return Annotation::None;
}

bool wants_trailing_comma(
    const std::vector<Node*>& leaves,
    const Line& original,
    const Node* opening) {
  if (leaves.empty()) {
    return false;
  }
  if (original.is_import()) {
    return true;
  }
  if (!original.is_def() || opening->value != "(") {
    return false;
  }
  const Node* placed = nullptr;
  for (const Node* leaf : leaves) {
    if (leaf->is(Kind::Comma) && annotation_of(*leaf) == Annotation::None) {
      return false;
    }
    placed = placed || !leaf->parent ? placed : leaf;
  }
  if (!placed) {
    return true;
  }
  const Node* next = placed->parent->next_sibling();
  return annotation_of(*placed) != Annotation::Result &&
         !(next && next->is(Kind::VerticalBar));
}

// Several elements that are to stand one a line.
bool splits_at_commas(const Line& body, const Node* opening) {
  if (!opening->parent || body.leaves.empty()) {
    return false;
  }
  const Node* last = body.leaves.back();
  const bool trailing = last->is(Kind::Comma);
  const int priority = body.brackets.max_priority(trailing ? last : nullptr);
  return priority == kCommaPriority &&
         (trailing || opening->parent_is(Kind::Atom) ||
          opening->parent_is(Kind::ImportFrom));
}

}  // namespace

Line build_part(
    Tree& tree,
    std::vector<Node*> leaves,
    const Line& original,
    const Node* opening,
    Part part) {
  Line out{.depth = original.depth};
  if (part == Part::Body) {
    out.inside_brackets = true;
    ++out.depth;
    if (wants_trailing_comma(leaves, original, opening)) {
      for (size_t i = leaves.size(); i-- > 0;) {
        if (leaves[i]->is(Kind::StandaloneComment)) {
          continue;
        }
        if (!leaves[i]->is(Kind::Comma)) {
          leaves.insert(
              leaves.begin() + static_cast<std::ptrdiff_t>(i) + 1,
              tree.leaf(Kind::Comma, ","));
        }
        break;
      }
    }
  }
  std::vector<bool> tracked(leaves.size(), false);
  if (part == Part::Head) {
    tracked = inside_matching_brackets(leaves);
  }
  for (size_t i = 0; i < leaves.size(); ++i) {
    out.append_spaced(leaves[i], tracked[i]);
    original.each_comment(
        leaves[i], [&](Node* comment) { out.append_spaced(comment); });
  }
  if (part == Part::Body) {
    out.should_split = splits_at_commas(out, opening);
  }
  return out;
}

}  // namespace portwright::emit::printing

#include "emit/layout/line.h"

#include <algorithm>

#include "emit/layout/spacing.h"
#include "emit/layout/strings.h"

namespace portwright::emit::printing {

namespace {

bool is_printed(const Node& leaf) {
  return is_opening(leaf.kind) || is_closing(leaf.kind) || !leaf.value.empty();
}

bool empty_class_parentheses(const Line& line) {
  return line.leaves.size() == 4 && line.is_class() &&
         line.leaves[2]->is(Kind::LeftParen) && line.leaves[2]->value == "(" &&
         line.leaves[3]->is(Kind::RightParen);
}

size_t leaf_count(Node* node) {
  size_t count = 0;
  each_leaf(node, [&](Node*) { ++count; });
  return count;
}

}  // namespace

void Line::append(Node* leaf) {
  if (!is_printed(*leaf)) {
    return;
  }
  if (leaf->is(Kind::Colon) && empty_class_parentheses(*this)) {
    leaves.resize(2);
  }
  if (!leaves.empty()) {
    leaf->space = spacing(*leaf, brackets);
  }
  add(leaf, true);
}

void Line::append_spaced(Node* leaf, bool track) {
  if (is_printed(*leaf)) {
    add(leaf, inside_brackets || track);
  }
}

void Line::add(Node* leaf, bool track) {
  if (track) {
    brackets.mark(leaf);
    if (is_magic_comma_before(leaf)) {
      magic_trailing_comma = leaf;
    }
  }
  if (!append_comment(leaf)) {
    leaves.push_back(leaf);
  }
}

bool Line::append_if_fits_comments(Node* leaf) {
  if (brackets.at_top() || brackets.inside_for_or_lambda()) {
    if (is_comment() ||
        (!leaves.empty() && leaf->is(Kind::StandaloneComment))) {
      return false;
    }
  }
  append_spaced(leaf);
  return true;
}

bool Line::is_magic_comma_before(const Node* closing) const {
  if (!is_closing(closing->kind) || leaves.empty() ||
      !leaves.back()->is(Kind::Comma)) {
    return false;
  }
  if (closing->is(Kind::RightBrace)) {
    return true;
  }
  if (closing->is(Kind::RightBracket)) {
    return !(
        closing->parent_is(Kind::Trailer) && closing->opening &&
        is_one_sequence(closing->opening, closing, leaves, Kind::LeftBracket));
  }
  return is_import() || (closing->opening &&
                         !is_one_sequence(closing->opening, closing, leaves));
}

bool Line::append_comment(Node* comment) {
  if (comment->is(Kind::StandaloneComment) && brackets.any_open()) {
    comment->space = "";
    return false;
  }
  if (!comment->is(Kind::Comment)) {
    return false;
  }
  const auto stand_alone = [&] {
    comment->kind = Kind::StandaloneComment;
    comment->space = "";
  };
  if (leaves.empty()) {
    stand_alone();
    return false;
  }
  Node* last = leaves.back();
  // Behind invisible parentheses around one leaf it belongs to that leaf.
  if (last->is(Kind::RightParen) && last->value.empty() && last->parent &&
      leaf_count(last->parent) <= 3) {
    if (leaves.size() < 2) {
      stand_alone();
      return false;
    }
    last = leaves[leaves.size() - 2];
  }
  comments.emplace_back(last, comment);
  return true;
}

std::string Line::text() const {
  std::string out;
  if (leaves.empty()) {
    return out;
  }
  out.append(static_cast<size_t>(depth) * 4, ' ');
  out += leaves[0]->value;
  for (size_t i = 1; i < leaves.size(); ++i) {
    out += leaves[i]->space;
    out += leaves[i]->value;
  }
  for (const auto& [owner, comment] : comments) {
    out += comment->space;
    out += comment->value;
  }
  return out;
}

bool Line::is_comment() const {
  return leaves.size() == 1 && leaves[0]->is(Kind::StandaloneComment);
}

bool Line::is_decorator() const {
  return !leaves.empty() && leaves[0]->is(Kind::At);
}

bool Line::is_import() const {
  return !leaves.empty() && ((leaves[0]->is_name("import") &&
                              leaves[0]->parent_is(Kind::ImportName)) ||
                             (leaves[0]->is_name("from") &&
                              leaves[0]->parent_is(Kind::ImportFrom)));
}

bool Line::is_with() const {
  if (leaves.empty()) {
    return false;
  }
  const Node* next = leaves[0]->next_sibling();
  return (leaves[0]->is_name("with") && leaves[0]->parent_is(Kind::WithStmt)) ||
         (leaves[0]->is(Kind::Async) && next && next->is(Kind::WithStmt));
}

bool Line::is_class() const {
  return !leaves.empty() && leaves[0]->is_name("class");
}

bool Line::is_def() const {
  return (!leaves.empty() && leaves[0]->is_name("def")) ||
         (leaves.size() > 1 && leaves[0]->is(Kind::Async) &&
          leaves[1]->is_name("def"));
}

bool Line::is_stub_def() const {
  if (!is_def() || leaves.size() < 4) {
    return false;
  }
  const auto end = leaves.end();
  return end[-4]->is(Kind::Colon) && end[-3]->is(Kind::Dot) &&
         end[-2]->is(Kind::Dot) && end[-1]->is(Kind::Dot);
}

bool Line::starts_with_docstring() const {
  return !leaves.empty() && is_docstring(*leaves[0]);
}

bool Line::is_chained_assignment() const {
  return std::count_if(leaves.begin(), leaves.end(), [](const Node* leaf) {
           return leaf->is(Kind::Equal);
         }) > 1;
}

bool Line::opens_block() const {
  return !leaves.empty() && leaves.back()->is(Kind::Colon);
}

bool Line::has_standalone_comments() const {
  return std::any_of(leaves.begin(), leaves.end(), [](const Node* leaf) {
    return leaf->is(Kind::StandaloneComment);
  });
}

bool Line::has_multiline_strings() const {
  return std::any_of(leaves.begin(), leaves.end(), [](const Node* leaf) {
    return is_multiline_string(*leaf);
  });
}

bool Line::has_type_ignore() const {
  if (comments.empty()) {
    return false;
  }
  const auto placed = [](const Node* leaf) { return leaf->line != 0; };
  const auto first = std::find_if(leaves.begin(), leaves.end(), placed);
  const auto last = std::find_if(leaves.rbegin(), leaves.rend(), placed);
  if (first != leaves.end() && (*first)->line != (*last)->line) {
    return false;
  }
  // A comma or an invisible parenthesis may have come behind the commented
  // leaf.
  for (size_t i = leaves.size() > 2 ? leaves.size() - 2 : 0; i < leaves.size();
       ++i) {
    for (const auto& [owner, comment] : comments) {
      if (owner == leaves[i] && comment->value.starts_with("# type: ignore")) {
        return true;
      }
    }
  }
  return false;
}

bool fits(const Line& line, size_t width) {
  return fits(line, line.text(), width);
}

bool fits(const Line& line, std::string_view text, size_t width) {
  return text_width(text) <= width &&
         text.find('\n') == std::string_view::npos &&
         !line.has_standalone_comments();
}

bool is_one_sequence(
    const Node* opening,
    const Node* closing,
    const std::vector<Node*>& leaves,
    Kind open_kind) {
  if (opening->kind != open_kind) {
    return false;
  }
  const int depth = closing->depth + 1;
  auto at = std::find(leaves.begin(), leaves.end(), opening);
  if (at == leaves.end()) {
    return false;
  }
  int commas = 0;
  for (++at; at != leaves.end() && *at != closing; ++at) {
    const Node& leaf = **at;
    if (leaf.depth != depth || !leaf.is(Kind::Comma)) {
      continue;
    }
    ++commas;
    if (leaf.parent_is(Kind::ArgumentList) ||
        leaf.parent_is(Kind::ParameterList)) {
      ++commas;
      break;
    }
  }
  return commas < 2;
}

}  // namespace portwright::emit::printing

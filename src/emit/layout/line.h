#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "emit/layout/brackets.h"
#include "emit/layout/tree.h"

namespace portwright::emit::printing {

inline constexpr size_t kLineLength = 88;

/// A line of output, or a logical line before it is split. Leaves are shared
/// with other lines: a parenthesis made visible is so everywhere.
struct Line {
  int depth = 0;
  bool inside_brackets = false;
  /// The body is to be split at its commas whatever its length.
  bool should_split = false;
  /// The bracket behind a trailing comma that asks for one element a line.
  Node* magic_trailing_comma = nullptr;
  std::vector<Node*> leaves;
  /// A leaf and a comment behind it, in order of appearance.
  std::vector<std::pair<Node*, Node*>> comments;
  BracketTracker brackets;

  bool empty() const {
    return leaves.empty() && comments.empty();
  }

  /// Adds a leaf, spaced from what precedes and with its brackets tracked.
  void append(Node* leaf);
  /// Adds a leaf that has its spacing. Brackets are tracked inside brackets,
  /// or on request.
  void append_spaced(Node* leaf, bool track = false);
  /// As append_spaced, but false where a standalone comment would share the
  /// line.
  bool append_if_fits_comments(Node* leaf);

  /// Calls f for each comment behind the leaf.
  template <typename F>
  void each_comment(const Node* leaf, F&& f) const {
    for (const auto& [owner, comment] : comments) {
      if (owner == leaf) {
        f(comment);
      }
    }
  }

  /// Without the end of line.
  std::string text() const;

  bool is_comment() const;
  bool is_decorator() const;
  bool is_import() const;
  bool is_with() const;
  bool is_class() const;
  bool is_def() const;
  bool is_stub_def() const;
  bool starts_with_docstring() const;
  bool is_chained_assignment() const;
  bool opens_block() const;
  bool has_standalone_comments() const;
  bool has_multiline_strings() const;
  /// A `# type: ignore` behind what was one line of the source holds for all
  /// of it.
  bool has_type_ignore() const;

 private:
  void add(Node* leaf, bool track);
  bool is_magic_comma_before(const Node* closing) const;
  bool append_comment(Node* comment);
};

/// Whether the line fits; never true of several lines or standalone comments.
bool fits(const Line& line, size_t width = kLineLength);
bool fits(const Line& line, std::string_view text, size_t width = kLineLength);

/// Whether at most one element stands between the two parentheses.
bool is_one_sequence(
    const Node* opening,
    const Node* closing,
    const std::vector<Node*>& leaves,
    Kind open_kind = Kind::LeftParen);

}  // namespace portwright::emit::printing

#pragma once

#include <string>
#include <vector>

#include "emit/layout/line.h"

namespace portwright::emit::printing {

/// Joins the text of logical lines with the blank lines between them: what the
/// source had, within bounds, and what classes, functions and imports ask for.
class BlankLines {
 public:
  /// The next logical line, not split yet.
  void add(const Line& line);
  /// The text that the last logical line becomes.
  void set_text(std::string text) {
    blocks_.back().text = std::move(text);
  }
  std::string text() const;

 private:
  /// What later lines need to know of one.
  struct Seen {
    int depth = 0;
    bool is_comment = false;
    bool is_decorator = false;
    bool is_class = false;
    bool is_def = false;
    bool is_stub_def = false;
    bool is_import = false;
    bool is_lone_docstring = false;
    bool is_docstring = false;
    bool opens_block = false;
    bool is_clause = false;  // else, except and the like
    bool user_blank_lines = false;
  };
  struct Block {
    Seen line;
    int before = 0;
    int after = 0;
    std::string text;
  };
  static constexpr size_t kNone = static_cast<size_t>(-1);

  static Seen look(const Line& line);
  std::pair<int, int> around(const Seen& line, int before);
  int before_definition(const Seen& line, int before);

  std::vector<Block> blocks_;
  std::vector<Seen> definitions_;  // that are open here
  /// The first of the comments that belong to what follows.
  size_t leading_comment_ = kNone;
};

}  // namespace portwright::emit::printing

#include "emit/layout/blank_lines.h"

#include <algorithm>

namespace portwright::emit::printing {

BlankLines::Seen BlankLines::look(const Line& line) {
  Seen out{
      .depth = line.depth,
      .is_comment = line.is_comment(),
      .is_decorator = line.is_decorator(),
      .is_class = line.is_class(),
      .is_def = line.is_def(),
      .is_stub_def = line.is_stub_def(),
      .is_import = line.is_import(),
      .is_docstring = line.starts_with_docstring(),
      .opens_block = line.opens_block()};
  out.is_lone_docstring = out.is_docstring && line.leaves.size() == 1;
  out.is_clause = out.opens_block;
  for (const char* word : {"with", "try", "for", "while", "if", "match"}) {
    out.is_clause = out.is_clause && line.leaves[0]->value != word;
  }
  return out;
}

void BlankLines::add(const Line& line) {
  Seen seen = look(line);
  const int source = line.leaves.empty() ? 0 : line.leaves[0]->blank_lines;
  const int allowed = std::min(source, line.depth == 0 ? 2 : 1);
  seen.user_blank_lines = allowed > 0;
  auto [before, after] = around(seen, allowed);
  if (!blocks_.empty()) {
    before = std::max(0, before - blocks_.back().after);
    if (blocks_.size() == 1 && blocks_[0].line.is_lone_docstring &&
        !seen.is_class && !seen.is_def) {
      before = 1;
    }
  }
  if (seen.is_comment) {
    const bool first = blocks_.empty();
    if (first || (!blocks_.back().line.is_decorator &&
                  (!blocks_.back().line.is_comment || before) &&
                  (leading_comment_ == kNone || before))) {
      leading_comment_ = blocks_.size();
    }
  } else if (!seen.is_decorator || before) {
    leading_comment_ = kNone;
  }
  blocks_.push_back({seen, before, after, {}});
}

std::pair<int, int> BlankLines::around(const Seen& line, int before) {
  const Seen* closed = nullptr;
  Seen last;
  while (!definitions_.empty() && definitions_.back().depth >= line.depth) {
    last = definitions_.back();
    closed = &last;
    definitions_.pop_back();
  }
  if (line.is_def || line.is_class) {
    definitions_.push_back(line);
  }
  if (blocks_.empty()) {
    return {0, 0};
  }
  const Seen& previous = blocks_.back().line;
  if (line.is_docstring) {
    if (previous.is_class) {
      return {0, 1};
    }
    if (previous.opens_block && previous.is_def) {
      return {0, 0};
    }
  }
  if (closed) {
    // An else behind a function belongs to what stands above it.
    const bool dependent = line.depth == 0 && closed->depth && line.is_clause;
    before = line.depth || dependent ? 1 : 2;
  }
  if (line.is_decorator || line.is_def || line.is_class) {
    return {before_definition(line, before), 0};
  }
  if (previous.is_import && !line.is_import && line.depth == previous.depth) {
    return {before ? before : 1, 0};
  }
  return {before, 0};
}

int BlankLines::before_definition(const Seen& line, int before) {
  const Seen& previous = blocks_.back().line;
  if (previous.is_decorator) {
    return 0;
  }
  if (previous.depth < line.depth && (previous.is_class || previous.is_def)) {
    return line.user_blank_lines ? 1 : 0;
  }
  Block* comment = nullptr;
  if (previous.is_comment && previous.depth == line.depth && before == 0) {
    // The blank lines go above the comments that lead up to the definition.
    const size_t at = leading_comment_;
    if (at == kNone || at == 0 || blocks_[at - 1].line.is_class ||
        blocks_[at - 1].line.opens_block || blocks_[at].before > 1) {
      return 0;
    }
    comment = &blocks_[at];
  }
  int blank = line.depth ? 1 : 2;
  if (previous.is_stub_def && !line.user_blank_lines) {
    blank = 0;
  }
  if (comment) {
    comment->before = std::max(comment->before, blank) - (comment - 1)->after;
    return 0;
  }
  return blank;
}

std::string BlankLines::text() const {
  std::string out;
  for (size_t i = 0; i < blocks_.size(); ++i) {
    out.append(static_cast<size_t>(std::max(0, blocks_[i].before)), '\n');
    out += blocks_[i].text;
    if (i + 1 < blocks_.size()) {
      out.append(static_cast<size_t>(blocks_[i].after), '\n');
    }
  }
  return out;
}

}  // namespace portwright::emit::printing

#include <fmt/format.h>

#include "syntax/lexer_impl.h"

namespace portwright::syntax {

namespace {

char closing(char open) {
  return open == '(' ? ')' : open == '[' ? ']' : '}';
}

}  // namespace

// At the start of a logical line: measures its indentation. Lines that hold
// only blanks or a comment do not count.
void Lexer::line_start() {
  line_start_ = false;
  const uint32_t begin = at_;
  Indentation to{0, 0};
  uint32_t continued = 0;
  for (;; ++at_) {
    const char c = peek();
    if (c == ' ') {
      ++to.column;
      ++to.alternative;
    } else if (c == '\t') {
      to.column = (to.column / 8 + 1) * 8;
      ++to.alternative;
    } else if (c == '\f') {
      to = {0, 0};
    } else if (c == '\\' && peek(1) == '\n') {
      // The indentation is that before the first backslash.
      continued = continued != 0 ? continued : to.column;
      ++at_;
      if (at_ + 1 >= size_) {
        ++at_;
        return dangling_backslash();
      }
    } else {
      break;
    }
  }
  if (peek() == '#' || peek() == '\n' || at_end()) {
    return;
  }
  if (continued != 0) {
    to = {continued, continued};
  }
  indent_to(begin, to);
}

void Lexer::indent_to(uint32_t begin, Indentation to) {
  const auto inconsistent = [&] {
    error(
        begin,
        at_,
        "inconsistent use of tabs and spaces in indentation",
        "indent with spaces only");
  };
  if (to.column == indents_.back().column) {
    if (to.alternative != indents_.back().alternative) {
      inconsistent();
    }
    return;
  }
  if (to.column > indents_.back().column) {
    if (to.alternative <= indents_.back().alternative) {
      inconsistent();
    }
    if (indents_.size() >= kMaxIndents) {
      return stop(begin, at_, "too many levels of indentation");
    }
    indents_.push_back(to);
    return push(TokenKind::Indent, at_);
  }
  while (to.column < indents_.back().column) {
    indents_.pop_back();
    if (to.column > indents_.back().column) {
      // Read on as if the line belonged to the block that it is nearest to.
      error(begin, at_, "unindent does not match any outer indentation level");
      indents_.push_back(to);
      return;
    }
    push(TokenKind::Dedent, at_);
  }
  if (to.alternative != indents_.back().alternative) {
    inconsistent();
  }
}

void Lexer::continuation() {
  if (peek(1) == '\n') {
    at_ += 2;
    if (at_end()) {
      dangling_backslash();
    }
    return;
  }
  const uint32_t begin = at_++;
  error(begin, at_, "unexpected character after line continuation character");
  push(TokenKind::Error, begin);
}

void Lexer::dangling_backslash() {
  error(at_ - 2, at_ - 1, "unexpected end of file after a line continuation");
  push(TokenKind::Error, at_);
}

void Lexer::newline() {
  if (!brackets_.empty()) {
    ++at_;
    if (abandoned_brackets()) {
      push(TokenKind::Newline, at_);
      line_start_ = true;
    }
    return;
  }
  const bool blank =
      out_.tokens.empty() || out_.tokens.back().kind == TokenKind::Newline;
  const uint32_t begin = at_++;
  if (!blank) {
    push(TokenKind::Newline, begin);
  }
  line_start_ = true;
}

void Lexer::comment() {
  const uint32_t begin = at_;
  while (!at_end() && peek() != '\n') {
    ++at_;
  }
  out_.comments.push_back({&source_, begin, at_});
}

void Lexer::open(TokenKind kind, char c) {
  if (brackets_.size() >= kMaxBrackets) {
    return stop(at_, at_ + 1, "too many nested parentheses");
  }
  brackets_.push_back({c, at_});
  operate(kind, 1);
}

void Lexer::close(TokenKind kind, char c) {
  const uint32_t begin = at_;
  if (!brackets_.empty() && brackets_.back().open == c) {
    brackets_.pop_back();
    return operate(kind, 1);
  }
  ++at_;
  if (brackets_.empty()) {
    error(begin, at_, fmt::format("unmatched '{}'", text_[begin]));
  } else {
    const Bracket& last = brackets_.back();
    const uint32_t line = source_.position(last.at).line;
    error(
        begin,
        at_,
        fmt::format(
            "closing parenthesis '{}' does not match opening parenthesis '{}'",
            text_[begin],
            last.open),
        fmt::format(
            "'{}' was opened on line {}; close it with '{}'",
            last.open,
            line,
            closing(last.open)));
    if (fstrings_.empty()) {
      brackets_.pop_back();
    } else if (c == '{') {
      // Take it for the end of the replacement field.
      FString& f = fstrings_.back();
      brackets_.resize(f.fields[--f.field_count] - 1);
      f.literal = true;
    }
  }
  push(TokenKind::Error, begin);
}

// Inside brackets, at the start of a line: a line that begins with a word that
// no expression can hold means that a bracket was never closed. Reports it, and
// lets the lines after it be read as statements.
bool Lexer::abandoned_brackets() {
  uint32_t word = at_;
  while (text_[word] == ' ' || text_[word] == '\t') {
    ++word;
  }
  uint32_t end = word;
  while (text_[end] >= 'a' && text_[end] <= 'z') {
    ++end;
  }
  if (end == word || is_name_part(text_[end])) {
    return false;
  }
  const std::string_view text(text_ + word, end - word);
  switch (out_.names[out_.names.find(text, NameTable::hash(text))].kind) {
    case TokenKind::KwDef:
    case TokenKind::KwClass:
    case TokenKind::KwReturn:
    case TokenKind::KwImport:
    case TokenKind::KwWith:
    case TokenKind::KwWhile:
    case TokenKind::KwTry:
    case TokenKind::KwRaise:
    case TokenKind::KwPass:
    case TokenKind::KwDel:
    case TokenKind::KwGlobal:
    case TokenKind::KwAssert:
    case TokenKind::KwNonlocal:
    case TokenKind::KwBreak:
    case TokenKind::KwContinue:
    case TokenKind::KwExcept:
    case TokenKind::KwFinally:
      break;
    default:
      return false;
  }
  const Bracket& last = brackets_.back();
  error(last.at, last.at + 1, fmt::format("'{}' was never closed", last.open));
  brackets_.clear();
  fstrings_.clear();
  push(TokenKind::Error, at_);
  return true;
}

void Lexer::finish() {
  at_ = size_;
  if (!brackets_.empty() && !stopped_) {
    const Bracket& last = brackets_.back();
    error(
        last.at, last.at + 1, fmt::format("'{}' was never closed", last.open));
    push(TokenKind::Error, at_);
  } else if (stopped_) {
    push(TokenKind::Error, at_);
  }
  if (!out_.tokens.empty() && out_.tokens.back().kind != TokenKind::Newline) {
    push(TokenKind::Newline, at_);
  }
  for (; indents_.size() > 1; indents_.pop_back()) {
    push(TokenKind::Dedent, at_);
  }
  for (int i = 0; i < LexResult::kPadding; ++i) {
    push(TokenKind::EndOfFile, at_);
  }
}

}  // namespace portwright::syntax

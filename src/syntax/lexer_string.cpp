#include <fmt/format.h>

#include "syntax/lexer_impl.h"

namespace portwright::syntax {

namespace {

// The flags of a string prefix, or -1 where the letters are none.
int prefix_flags(std::string_view prefix, bool& formatted) {
  int flags = 0;
  formatted = false;
  bool unicode = false;
  for (const char c : prefix) {
    switch (c | 0x20) {
      case 'r':
        if (flags & kRaw) {
          return -1;
        }
        flags |= kRaw;
        break;
      case 'b':
        if ((flags & kBytes) || formatted) {
          return -1;
        }
        flags |= kBytes;
        break;
      case 't':
      case 'f':
        if ((flags & kBytes) || formatted) {
          return -1;
        }
        flags |= (c | 0x20) == 't' ? kTemplate : 0;
        formatted = true;
        break;
      case 'u':
        // Only the small letter shows in the tree, as in CPython.
        flags |= c == 'u' ? kUnicodePrefix : 0;
        unicode = true;
        break;
      default:
        return -1;
    }
  }
  return (unicode && prefix.size() > 1) || ((flags & kBytes) && formatted)
             ? -1
             : flags;
}

}  // namespace

bool Lexer::closes(char quote, bool triple) const {
  return peek() == quote && (!triple || (peek(1) == quote && peek(2) == quote));
}

// At the opening quote, behind a prefix that begins at `begin`. False where
// the word before the quote is not a prefix.
bool Lexer::string(uint32_t begin) {
  bool formatted = false;
  const int prefix = prefix_flags({text_ + begin, at_ - begin}, formatted);
  if (prefix < 0) {
    return false;
  }
  auto flags = static_cast<uint8_t>(prefix);
  const char quote = peek();
  if (peek(1) == quote && peek(2) == quote) {
    flags |= kTriple;
  }
  at_ += flags & kTriple ? 3 : 1;
  if (formatted) {
    fstring_start(begin, flags, quote);
  } else {
    plain_string(begin, flags, quote);
  }
  return true;
}

void Lexer::plain_string(uint32_t begin, uint8_t flags, char quote) {
  const uint32_t head = at_ - begin;
  const bool triple = flags & kTriple;
  for (;; ++at_) {
    const char c = peek();
    if (c == quote && closes(quote, triple)) {
      at_ += triple ? 3 : 1;
      return push(TokenKind::String, begin, flags, head);
    }
    if (c == '\\') {
      flags |= kEscapes;
      ++at_;
      if (at_end()) {
        return unterminated(begin, flags, false);
      }
    } else if ((c == '\n' && !triple) || at_end()) {
      return unterminated(begin, flags, false);
    }
  }
}

// Reports a string that is not closed where the lexer stands. In a replacement
// field, what looks like its beginning was meant to end the f-string.
void Lexer::unterminated(uint32_t begin, uint8_t flags, bool fstring) {
  const bool triple = flags & kTriple;
  if (!fstring && !fstrings_.empty() &&
      fstrings_.back().quote == text_[begin] &&
      (fstrings_.back().flags & kTriple) == (flags & kTriple)) {
    at_ = begin + (triple ? 3 : 1);
    error(begin, at_, "f-string: expecting '}'");
    push(TokenKind::Error, begin);
    return abandon_fstring();
  }
  const uint32_t line = source_.position(at_).line;
  uint32_t end = begin;
  while (end < at_ && text_[end] != '\n') {
    ++end;
  }
  error(
      begin,
      end,
      fmt::format(
          "unterminated {}{}string literal",
          triple ? "triple-quoted " : "",
          fstring ? (flags & kTemplate ? "t-" : "f-") : ""),
      triple ? fmt::format("the text ends on line {}", line) : "");
  push(TokenKind::Error, begin);
}

void Lexer::fstring_start(uint32_t begin, uint8_t flags, char quote) {
  if (fstrings_.size() >= kMaxFStrings) {
    return stop(begin, at_, "too many nested f-strings");
  }
  push(TokenKind::FStringStart, begin, flags, at_ - begin);
  fstrings_.push_back({flags, quote, begin, {}, 0, true});
}

// Literal text of an f-string, up to and with what ends it.
void Lexer::fstring_text() {
  while (!stopped_ && !fstrings_.empty() && fstrings_.back().literal &&
         fstring_text_piece(fstrings_.back())) {
  }
}

// One FStringMiddle and the token after it. A doubled brace ends a piece too.
bool Lexer::fstring_text_piece(FString& f) {
  const uint32_t begin = at_;
  const bool triple = f.flags & kTriple;
  const bool spec = f.field_count > 0;
  uint8_t flags = f.flags;
  const auto middle = [&] {
    if (at_ > begin) {
      push(TokenKind::FStringMiddle, begin, flags);
    }
  };
  for (;; ++at_) {
    const char c = peek();
    if (c == f.quote && closes(f.quote, triple)) {
      middle();
      const uint32_t end = at_;
      at_ += triple ? 3 : 1;
      if (spec) {
        error(end, at_, "f-string: expecting '}'");
        push(TokenKind::Error, end);
        abandon_fstring();
      } else {
        push(TokenKind::FStringEnd, end, f.flags);
        fstrings_.pop_back();
      }
      return false;
    }
    if ((c == '\n' && !triple) || at_end()) {
      middle();
      unterminated(f.begin, f.flags, true);
      abandon_fstring();
      return false;
    }
    if (c == '{' || c == '}') {
      if (!spec && peek(1) == c) {
        at_ += 2;
        flags |= kDoubledBrace;
        middle();
        return true;
      }
      middle();
      c == '{' ? open_field(f) : close_field(f);
      return true;
    }
    if (c == '\\') {
      flags |= kEscapes;
      const char next = peek(1);
      if (next == '{' || next == '}') {
        continue;
      }
      ++at_;
      if (next == 'N' && !(f.flags & kRaw) && peek(1) == '{') {
        const auto in_name = [&](char n) {
          return n != '\0' && n != '\n' && n != '{' && n != '}' && n != f.quote;
        };
        for (++at_; in_name(peek(1));) {
          ++at_;
        }
        at_ += peek(1) == '}' ? 1 : 0;
      }
      if (at_end()) {
        --at_;
      }
    }
  }
}

void Lexer::open_field(FString& f) {
  if (f.field_count >= kMaxFields) {
    error(at_, at_ + 1, "f-string: expressions nested too deeply");
    stopped_ = true;
    return;
  }
  open(TokenKind::LeftBrace, '{');
  f.fields[f.field_count++] = static_cast<uint32_t>(brackets_.size());
  f.literal = false;
}

void Lexer::close_field(FString& f) {
  if (f.field_count == 0) {
    const uint32_t begin = at_++;
    error(
        begin,
        at_,
        "f-string: single '}' is not allowed",
        "write '}}' for a brace in the text");
    return push(TokenKind::Error, begin);
  }
  --f.field_count;
  f.literal = true;
  close(TokenKind::RightBrace, '{');
}

void Lexer::abandon_fstring() {
  const FString& f = fstrings_.back();
  if (f.field_count > 0) {
    brackets_.resize(f.fields[0] - 1);
  }
  fstrings_.pop_back();
}

// In the expression of a replacement field, outside any bracket of its own, a
// colon begins the format specification and a brace ends the field.
bool Lexer::fstring_punctuation(char c) {
  FString& f = fstrings_.back();
  if (brackets_.size() != f.fields[f.field_count - 1]) {
    return false;
  }
  if (c == ':') {
    operate(TokenKind::Colon, 1);
    f.literal = true;
    return true;
  }
  if (c == '}') {
    close_field(f);
    return true;
  }
  return false;
}

}  // namespace portwright::syntax

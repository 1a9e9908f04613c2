#include <fmt/format.h>

#include "syntax/lexer_impl.h"
#include "syntax/unicode.h"

namespace portwright::syntax {

namespace {

bool in_radix(char c, int radix) {
  const char lower = static_cast<char>(c | 0x20);
  return (c >= '0' && c <= '9' && c - '0' < radix) ||
         (radix == 16 && lower >= 'a' && lower <= 'f');
}

}  // namespace

void Lexer::invalid_number(uint32_t begin, std::string_view what) {
  while (is_name_part(peek())) {
    ++at_;
  }
  error(begin, at_, fmt::format("invalid {} literal", what));
  push(TokenKind::Error, begin);
}

// digit ('_'? digit)*; false where an underscore stands alone.
bool Lexer::digits() {
  for (;;) {
    while (is_digit(peek())) {
      ++at_;
    }
    if (peek() != '_') {
      return true;
    }
    ++at_;
    if (!is_digit(peek())) {
      return false;
    }
  }
}

void Lexer::number() {
  const uint32_t begin = at_;
  if (peek() == '0' && peek(1) != '\0' && (peek(1) | 0x20) >= 'a' &&
      radix_number(begin)) {
    return;
  }
  decimal_number(begin);
}

// 0x, 0o, 0b; false where the zero is followed by none of them.
bool Lexer::radix_number(uint32_t begin) {
  const char letter = static_cast<char>(peek(1) | 0x20);
  const int radix = letter == 'x'   ? 16
                    : letter == 'o' ? 8
                    : letter == 'b' ? 2
                                    : 0;
  if (radix == 0) {
    return false;
  }
  const std::string_view what = radix == 16  ? "hexadecimal"
                                : radix == 8 ? "octal"
                                             : "binary";
  at_ += 2;
  do {
    if (peek() == '_') {
      ++at_;
    }
    if (!in_radix(peek(), radix)) {
      if (is_digit(peek())) {
        error(
            at_,
            at_ + 1,
            fmt::format("invalid digit '{}' in {} literal", peek(), what));
        while (is_name_part(peek())) {
          ++at_;
        }
        push(TokenKind::Error, begin);
      } else {
        invalid_number(begin, what);
      }
      return true;
    }
    while (in_radix(peek(), radix)) {
      ++at_;
    }
  } while (peek() == '_');
  if (is_digit(peek())) {
    error(
        at_,
        at_ + 1,
        fmt::format("invalid digit '{}' in {} literal", peek(), what));
    while (is_name_part(peek())) {
      ++at_;
    }
    push(TokenKind::Error, begin);
    return true;
  }
  number_end(begin, what);
  return true;
}

// False where 'e' is followed by no exponent; then nothing was read.
bool Lexer::exponent() {
  if ((peek() | 0x20) != 'e') {
    return false;
  }
  const char sign = peek(1);
  const bool is_signed = sign == '+' || sign == '-';
  if (!is_digit(is_signed ? peek(2) : sign)) {
    return false;
  }
  at_ += is_signed ? 2 : 1;
  return true;
}

void Lexer::decimal_number(uint32_t begin) {
  bool integer = true;
  if (!digits()) {
    return invalid_number(begin, "decimal");
  }
  const uint32_t whole = at_;
  if (peek() == '.') {
    integer = false;
    ++at_;
    if (is_digit(peek()) && !digits()) {
      return invalid_number(begin, "decimal");
    }
  }
  if (exponent()) {
    integer = false;
    if (!digits()) {
      return invalid_number(begin, "decimal");
    }
  }
  if ((peek() | 0x20) == 'j') {
    ++at_;
    return number_end(begin, "imaginary");
  }
  if (integer && text_[begin] == '0') {
    for (uint32_t i = begin; i < whole; ++i) {
      if (text_[i] != '0' && text_[i] != '_') {
        error(
            begin,
            whole,
            "leading zeros in decimal integer literals are not permitted",
            "use the prefix 0o for octal integers");
        return push(TokenKind::Error, begin);
      }
    }
  }
  number_end(begin, "decimal");
}

// A number may run into the keyword that follows it, but into no other name.
void Lexer::number_end(uint32_t begin, std::string_view what) {
  size_t at = at_;
  if (is_name_part(peek()) &&
      is_identifier_part(next_code_point(source_.text(), at))) {
    constexpr std::string_view kFollowing[] = {
        "and", "else", "for", "if", "in", "is", "or", "not"};
    const std::string_view rest(text_ + at_, size_ - at_);
    const bool keyword = std::any_of(
        std::begin(kFollowing), std::end(kFollowing), [&](auto word) {
          return rest.starts_with(word);
        });
    if (!keyword) {
      return invalid_number(begin, what);
    }
  }
  push(TokenKind::Number, begin);
}

}  // namespace portwright::syntax

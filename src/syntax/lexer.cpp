#include "syntax/lexer.h"

#include <fmt/format.h>

#include "syntax/lexer_impl.h"
#include "syntax/unicode.h"

namespace portwright::syntax {

using diagnostics::Kind;

Lexer::Lexer(
    const base::SourceFile& source,
    LexResult& out,
    std::vector<diagnostics::Diagnostic>& diagnostics)
    : source_(source),
      text_(source.text().data()),
      size_(static_cast<uint32_t>(source.text().size())),
      out_(out),
      diagnostics_(diagnostics) {
  out_.tokens.reserve(size_ / 4 + 16);
}

void Lexer::error(
    uint32_t begin,
    uint32_t end,
    std::string message,
    std::string hint) {
  diagnostics_.push_back(
      {Kind::SyntaxError,
       std::move(message),
       {&source_, begin, end},
       std::move(hint)});
}

void Lexer::stop(uint32_t begin, uint32_t end, std::string message) {
  error(begin, end, std::move(message));
  diagnostics_.back().kind = Kind::LimitExceeded;
  stopped_ = true;
}

void Lexer::run() {
  while (!stopped_) {
    if (line_start_) {
      line_start();
    }
    if (!fstrings_.empty() && fstrings_.back().literal) {
      fstring_text();
    } else if (at_end()) {
      break;
    } else {
      token();
    }
  }
  finish();
}

void Lexer::token() {
  const char c = peek();
  if (is_name_start(c)) {
    return name();
  }
  switch (c) {
    case ' ':
    case '\t':
    case '\f':
      ++at_;
      return;
    case '\n':
      return newline();
    case '#':
      return comment();
    case '\\':
      continuation();
      return;
    case '0':
    case '1':
    case '2':
    case '3':
    case '4':
    case '5':
    case '6':
    case '7':
    case '8':
    case '9':
      return number();
    case '\'':
    case '"':
      string(at_);
      return;
    default:
      return punctuation(c);
  }
}

void Lexer::name() {
  const uint32_t begin = at_;
  uint32_t hash = NameTable::kHashSeed;
  unsigned char high = 0;
  for (char c = peek(); is_name_part(c); c = peek()) {
    high |= static_cast<unsigned char>(c);
    hash = NameTable::hash_step(hash, static_cast<unsigned char>(c));
    ++at_;
  }
  const char next = peek();
  if ((next == '"' || next == '\'') && at_ - begin <= 2 && string(begin)) {
    return;
  }
  if (high >= 128) {
    return unicode_name(begin);
  }
  const uint32_t index = out_.names.find({text_ + begin, at_ - begin}, hash);
  push(out_.names[index].kind, begin, 0, index);
}

void Lexer::unicode_name(uint32_t begin) {
  const std::string_view text(text_ + begin, at_ - begin);
  for (size_t i = 0; i < text.size();) {
    const size_t start = i;
    const uint32_t c = next_code_point(text, i);
    if (start == 0 ? !is_identifier_start(c) : !is_identifier_part(c)) {
      const auto from = begin + static_cast<uint32_t>(start);
      const auto to = begin + static_cast<uint32_t>(i);
      if (is_printable(c)) {
        error(
            from,
            to,
            fmt::format(
                "invalid character '{}' (U+{:04X})",
                text.substr(start, i - start),
                c));
      } else {
        error(
            from,
            to,
            fmt::format("invalid non-printable character U+{:04X}", c));
      }
      return push(TokenKind::Error, begin);
    }
  }
  const std::string normal = normalize_name(text);
  const uint32_t index = out_.names.find(normal, NameTable::hash(normal));
  // Only the plain spelling of a keyword is one.
  push(TokenKind::Name, begin, 0, index);
}

void Lexer::operate_or_assign(TokenKind kind, uint32_t length) {
  if (peek(length) == '=') {
    constexpr int kShift = static_cast<int>(TokenKind::PlusEqual) -
                           static_cast<int>(TokenKind::Plus);
    return operate(
        static_cast<TokenKind>(static_cast<int>(kind) + kShift), length + 1);
  }
  operate(kind, length);
}

void Lexer::punctuation(char c) {
  if (!fstrings_.empty() && fstring_punctuation(c)) {
    return;
  }
  const char next = peek(1);
  switch (c) {
    case '(':
      return open(TokenKind::LeftParen, c);
    case '[':
      return open(TokenKind::LeftBracket, c);
    case '{':
      return open(TokenKind::LeftBrace, c);
    case ')':
      return close(TokenKind::RightParen, '(');
    case ']':
      return close(TokenKind::RightBracket, '[');
    case '}':
      return close(TokenKind::RightBrace, '{');
    case ',':
      return operate(TokenKind::Comma, 1);
    case ';':
      return operate(TokenKind::Semicolon, 1);
    case '~':
      return operate(TokenKind::Tilde, 1);
    case ':':
      return next == '=' ? operate(TokenKind::ColonEqual, 2)
                         : operate(TokenKind::Colon, 1);
    case '.':
      if (is_digit(next)) {
        return number();
      }
      return next == '.' && peek(2) == '.' ? operate(TokenKind::Ellipsis, 3)
                                           : operate(TokenKind::Dot, 1);
    case '=':
      return next == '=' ? operate(TokenKind::EqualEqual, 2)
                         : operate(TokenKind::Equal, 1);
    case '!':
      return next == '=' ? operate(TokenKind::NotEqual, 2)
                         : operate(TokenKind::Exclamation, 1);
    case '-':
      return next == '>' ? operate(TokenKind::Arrow, 2)
                         : operate_or_assign(TokenKind::Minus, 1);
    case '+':
      return operate_or_assign(TokenKind::Plus, 1);
    case '*':
      return next == '*' ? operate_or_assign(TokenKind::DoubleStar, 2)
                         : operate_or_assign(TokenKind::Star, 1);
    case '/':
      return next == '/' ? operate_or_assign(TokenKind::DoubleSlash, 2)
                         : operate_or_assign(TokenKind::Slash, 1);
    case '%':
      return operate_or_assign(TokenKind::Percent, 1);
    case '@':
      return operate_or_assign(TokenKind::At, 1);
    case '|':
      return operate_or_assign(TokenKind::VerticalBar, 1);
    case '^':
      return operate_or_assign(TokenKind::Caret, 1);
    case '&':
      return operate_or_assign(TokenKind::Ampersand, 1);
    case '<':
      if (next == '<') {
        return operate_or_assign(TokenKind::LeftShift, 2);
      }
      return next == '=' ? operate(TokenKind::LessEqual, 2)
                         : operate(TokenKind::Less, 1);
    case '>':
      if (next == '>') {
        return operate_or_assign(TokenKind::RightShift, 2);
      }
      return next == '=' ? operate(TokenKind::GreaterEqual, 2)
                         : operate(TokenKind::Greater, 1);
    default:
      return invalid_character();
  }
}

void Lexer::invalid_character() {
  const uint32_t begin = at_++;
  const auto c = static_cast<unsigned char>(text_[begin]);
  if (c < 32 || c == 127) {
    error(
        begin, at_, fmt::format("invalid non-printable character U+{:04X}", c));
  } else {
    error(begin, at_, fmt::format("invalid character '{}'", text_[begin]));
  }
  push(TokenKind::Error, begin);
}

LexResult lex(
    const base::SourceFile& source,
    std::vector<diagnostics::Diagnostic>& diagnostics) {
  LexResult out;
  Lexer(source, out, diagnostics).run();
  return out;
}

}  // namespace portwright::syntax

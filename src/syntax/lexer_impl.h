#pragma once

#include <array>

#include "syntax/lexer.h"

namespace portwright::syntax {

/// The state of lex(). Split by theme over lexer.cpp (tokens and operators),
/// lexer_line.cpp (indentation, joining, brackets), lexer_string.cpp and
/// lexer_number.cpp.
class Lexer {
 public:
  Lexer(
      const base::SourceFile& source,
      LexResult& out,
      std::vector<diagnostics::Diagnostic>& diagnostics);
  void run();

 private:
  // CPython's own limits.
  static constexpr size_t kMaxIndents = 100;
  static constexpr size_t kMaxBrackets = 200;
  static constexpr size_t kMaxFStrings = 150;
  static constexpr size_t kMaxFields = 3;

  struct Bracket {
    char open;
    uint32_t at;
  };
  struct Indentation {
    uint32_t column;       // tabs to multiples of eight
    uint32_t alternative;  // tabs as one column
  };
  struct FString {
    uint8_t flags;
    char quote;
    uint32_t begin;
    /// Open replacement fields, each as the depth of brackets inside its `{`.
    uint32_t fields[kMaxFields];
    uint32_t field_count;
    /// Inside literal text (or a format specification), not an expression.
    bool literal;
  };

  char peek(uint32_t ahead = 0) const {
    // The text is followed by a NUL, and it holds none.
    return text_[at_ + ahead];
  }
  bool at_end() const {
    return at_ >= size_;
  }
  void push(
      TokenKind kind,
      uint32_t begin,
      uint8_t flags = 0,
      uint32_t payload = 0) {
    out_.tokens.push_back({begin, at_, kind, flags, payload});
  }
  void error(
      uint32_t begin,
      uint32_t end,
      std::string message,
      std::string hint = "");

  /// Reports a limit of ours, and ends the reading.
  void stop(uint32_t begin, uint32_t end, std::string message);

  // lexer.cpp
  void token();
  void name();
  void unicode_name(uint32_t begin);
  void punctuation(char c);
  void operate(TokenKind kind, uint32_t length) {
    const uint32_t begin = at_;
    at_ += length;
    push(kind, begin);
  }
  void operate_or_assign(TokenKind kind, uint32_t length);
  void invalid_character();

  // lexer_line.cpp
  void line_start();
  void indent_to(uint32_t begin, Indentation to);
  void continuation();
  void dangling_backslash();
  void newline();
  void comment();
  void open(TokenKind kind, char c);
  void close(TokenKind kind, char c);
  bool abandoned_brackets();
  void finish();

  // lexer_string.cpp
  bool string(uint32_t begin);
  void plain_string(uint32_t begin, uint8_t flags, char quote);
  void fstring_start(uint32_t begin, uint8_t flags, char quote);
  void fstring_text();
  bool fstring_text_piece(FString& f);
  bool fstring_punctuation(char c);
  void open_field(FString& f);
  void close_field(FString& f);
  void abandon_fstring();
  bool closes(char quote, bool triple) const;
  void unterminated(uint32_t begin, uint8_t flags, bool fstring);

  // lexer_number.cpp
  void number();
  bool digits();
  bool radix_number(uint32_t begin);
  void decimal_number(uint32_t begin);
  bool exponent();
  void number_end(uint32_t begin, std::string_view what);
  void invalid_number(uint32_t begin, std::string_view what);

  const base::SourceFile& source_;
  const char* text_;
  uint32_t size_;
  uint32_t at_ = 0;
  LexResult& out_;
  std::vector<diagnostics::Diagnostic>& diagnostics_;
  std::vector<Bracket> brackets_;
  std::vector<Indentation> indents_{{0, 0}};
  std::vector<FString> fstrings_;
  bool line_start_ = true;
  bool stopped_ = false;
};

/// What a byte may be in a name: letters, digits and bytes above ASCII.
inline constexpr uint8_t kNameStart = 1;
inline constexpr uint8_t kNamePart = 2;
inline constexpr uint8_t kDigit = 4;
inline constexpr std::array<uint8_t, 256> kCharClass = [] {
  std::array<uint8_t, 256> out{};
  for (int c = 0; c < 256; ++c) {
    if ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' ||
        c >= 128) {
      out[c] = kNameStart | kNamePart;
    } else if (c >= '0' && c <= '9') {
      out[c] = kNamePart | kDigit;
    }
  }
  return out;
}();

inline bool is_name_start(char c) {
  return kCharClass[static_cast<unsigned char>(c)] & kNameStart;
}
inline bool is_name_part(char c) {
  return kCharClass[static_cast<unsigned char>(c)] & kNamePart;
}
inline bool is_digit(char c) {
  return kCharClass[static_cast<unsigned char>(c)] & kDigit;
}

}  // namespace portwright::syntax

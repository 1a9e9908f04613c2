#pragma once

#include <cstdint>
#include <string_view>

namespace portwright::syntax {

/// Keywords, with the kind of their token.
#define PW_KEYWORDS(X)      \
  X(KwFalse, "False")       \
  X(KwNone, "None")         \
  X(KwTrue, "True")         \
  X(KwAnd, "and")           \
  X(KwAs, "as")             \
  X(KwAssert, "assert")     \
  X(KwAsync, "async")       \
  X(KwAwait, "await")       \
  X(KwBreak, "break")       \
  X(KwClass, "class")       \
  X(KwContinue, "continue") \
  X(KwDef, "def")           \
  X(KwDel, "del")           \
  X(KwElif, "elif")         \
  X(KwElse, "else")         \
  X(KwExcept, "except")     \
  X(KwFinally, "finally")   \
  X(KwFor, "for")           \
  X(KwFrom, "from")         \
  X(KwGlobal, "global")     \
  X(KwIf, "if")             \
  X(KwImport, "import")     \
  X(KwIn, "in")             \
  X(KwIs, "is")             \
  X(KwLambda, "lambda")     \
  X(KwNonlocal, "nonlocal") \
  X(KwNot, "not")           \
  X(KwOr, "or")             \
  X(KwPass, "pass")         \
  X(KwRaise, "raise")       \
  X(KwReturn, "return")     \
  X(KwTry, "try")           \
  X(KwWhile, "while")       \
  X(KwWith, "with")         \
  X(KwYield, "yield")

/// Punctuation. The binary operators stand in the order of BinaryOperator,
/// and their augmented assignments follow in that order too.
#define PW_PUNCTUATION(X)    \
  X(LeftParen, "(")          \
  X(RightParen, ")")         \
  X(LeftBracket, "[")        \
  X(RightBracket, "]")       \
  X(LeftBrace, "{")          \
  X(RightBrace, "}")         \
  X(Colon, ":")              \
  X(ColonEqual, ":=")        \
  X(Comma, ",")              \
  X(Semicolon, ";")          \
  X(Dot, ".")                \
  X(Ellipsis, "...")         \
  X(Arrow, "->")             \
  X(Exclamation, "!")        \
  X(Equal, "=")              \
  X(Tilde, "~")              \
  X(Plus, "+")               \
  X(Minus, "-")              \
  X(Star, "*")               \
  X(At, "@")                 \
  X(Slash, "/")              \
  X(Percent, "%")            \
  X(DoubleStar, "**")        \
  X(LeftShift, "<<")         \
  X(RightShift, ">>")        \
  X(VerticalBar, "|")        \
  X(Caret, "^")              \
  X(Ampersand, "&")          \
  X(DoubleSlash, "//")       \
  X(PlusEqual, "+=")         \
  X(MinusEqual, "-=")        \
  X(StarEqual, "*=")         \
  X(AtEqual, "@=")           \
  X(SlashEqual, "/=")        \
  X(PercentEqual, "%=")      \
  X(DoubleStarEqual, "**=")  \
  X(LeftShiftEqual, "<<=")   \
  X(RightShiftEqual, ">>=")  \
  X(VerticalBarEqual, "|=")  \
  X(CaretEqual, "^=")        \
  X(AmpersandEqual, "&=")    \
  X(DoubleSlashEqual, "//=") \
  X(EqualEqual, "==")        \
  X(NotEqual, "!=")          \
  X(Less, "<")               \
  X(LessEqual, "<=")         \
  X(Greater, ">")            \
  X(GreaterEqual, ">=")

enum class TokenKind : uint8_t {
  EndOfFile,
  Newline,
  Indent,
  Dedent,
  /// Stands for text that the lexer has already reported.
  Error,
  Name,
  Number,
  String,
  FStringStart,
  FStringMiddle,
  FStringEnd,
#define X(name, text) name,
  PW_PUNCTUATION(X) PW_KEYWORDS(X)
#undef X
};

constexpr bool is_keyword(TokenKind kind) {
  return kind >= TokenKind::KwFalse;
}

/// The spelling of a keyword or of punctuation, else "".
constexpr std::string_view spelling(TokenKind kind) {
  switch (kind) {
#define X(name, text)   \
  case TokenKind::name: \
    return text;
    PW_PUNCTUATION(X)
    PW_KEYWORDS(X)
#undef X
    default:
      return {};
  }
}

/// What String and FString tokens are made of.
enum StringFlags : uint8_t {
  kRaw = 1,
  kBytes = 2,
  kUnicodePrefix = 4,
  kTriple = 8,
  kTemplate = 16,
  /// The contents hold a backslash.
  kEscapes = 32,
  /// An FStringMiddle that ends in a doubled brace, which stands for one.
  kDoubledBrace = 64,
};

struct Token {
  /// Byte offsets into the decoded source, half open.
  uint32_t begin;
  uint32_t end;
  TokenKind kind;
  uint8_t flags;  // StringFlags
  /// Name: index into LexResult::names. String, FStringStart: bytes of prefix
  /// and opening quotes.
  uint32_t payload;
};

}  // namespace portwright::syntax

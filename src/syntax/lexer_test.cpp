#include "syntax/lexer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

namespace portwright::syntax {
namespace {

struct Lexed {
  explicit Lexed(std::string text)
      : source("t.py", std::move(text)), result(lex(source, diagnostics)) {}

  // Spellings of the tokens; those without text by their kind.
  std::vector<std::string> tokens() const {
    std::vector<std::string> out;
    for (const Token& t : result.tokens) {
      switch (t.kind) {
        case TokenKind::EndOfFile:
          return out;
        case TokenKind::Newline:
          out.push_back("NEWLINE");
          break;
        case TokenKind::Indent:
          out.push_back("INDENT");
          break;
        case TokenKind::Dedent:
          out.push_back("DEDENT");
          break;
        case TokenKind::Error:
          out.push_back("ERROR");
          break;
        default:
          out.emplace_back(source.text().substr(t.begin, t.end - t.begin));
      }
    }
    return out;
  }
  std::vector<std::string> messages() const {
    std::vector<std::string> out;
    for (const auto& d : diagnostics) {
      out.push_back(d.message);
    }
    return out;
  }

  std::vector<diagnostics::Diagnostic> diagnostics;
  base::SourceFile source;
  LexResult result;
};

using testing::ElementsAre;
using testing::IsEmpty;

TEST(Lexer, BlocksBecomeIndentAndDedent) {
  EXPECT_THAT(
      Lexed("if a:\n  b\n\n  # no\n  c\nd").tokens(),
      ElementsAre(
          "if",
          "a",
          ":",
          "NEWLINE",
          "INDENT",
          "b",
          "NEWLINE",
          "c",
          "NEWLINE",
          "DEDENT",
          "d",
          "NEWLINE"));
}

TEST(Lexer, BlocksLeftOpenCloseAtTheEnd) {
  EXPECT_THAT(
      Lexed("if a:\n if b:\n  c").tokens(),
      ElementsAre(
          "if",
          "a",
          ":",
          "NEWLINE",
          "INDENT",
          "if",
          "b",
          ":",
          "NEWLINE",
          "INDENT",
          "c",
          "NEWLINE",
          "DEDENT",
          "DEDENT"));
}

TEST(Lexer, BracketsAndBackslashesJoinLines) {
  EXPECT_THAT(
      Lexed("a = (1,\n  # c\n 2)\nb \\\n = 3\n").tokens(),
      ElementsAre(
          "a",
          "=",
          "(",
          "1",
          ",",
          "2",
          ")",
          "NEWLINE",
          "b",
          "=",
          "3",
          "NEWLINE"));
}

TEST(Lexer, TabsReachTheNextMultipleOfEight) {
  const Lexed lexed("if a:\n        b\n\tc\n");
  EXPECT_THAT(
      lexed.messages(),
      ElementsAre("inconsistent use of tabs and spaces in indentation"));
}

TEST(Lexer, AFormFeedResetsTheIndentation) {
  EXPECT_THAT(
      Lexed("a\n  \fb\n").tokens(),
      ElementsAre("a", "NEWLINE", "b", "NEWLINE"));
}

TEST(Lexer, OperatorsAreAsLongAsTheyCanBe) {
  EXPECT_THAT(
      Lexed("a**=b//c<<=d->e:=f...!=@=").tokens(),
      ElementsAre(
          "a",
          "**=",
          "b",
          "//",
          "c",
          "<<=",
          "d",
          "->",
          "e",
          ":=",
          "f",
          "...",
          "!=",
          "@=",
          "NEWLINE"));
}

TEST(Lexer, FStringsAreCutIntoTextAndFields) {
  EXPECT_THAT(
      Lexed("f'a{{{b!r:>{w}}c'").tokens(),
      ElementsAre(
          "f'",
          "a{{",
          "{",
          "b",
          "!",
          "r",
          ":",
          ">",
          "{",
          "w",
          "}",
          "}",
          "c",
          "'",
          "NEWLINE"));
}

TEST(Lexer, BracketsInAFieldHideItsColon) {
  EXPECT_THAT(
      Lexed("f'{a[1:2]:x}'").tokens(),
      ElementsAre(
          "f'",
          "{",
          "a",
          "[",
          "1",
          ":",
          "2",
          "]",
          ":",
          "x",
          "}",
          "'",
          "NEWLINE"));
}

TEST(Lexer, CommentsAreKeptApart) {
  const Lexed lexed("# one\na # two\nf'''{a # three\n}'''");
  ASSERT_EQ(lexed.result.comments.size(), 3U);
  EXPECT_EQ(lexed.result.comments[0].text(), "# one");
  EXPECT_EQ(lexed.result.comments[1].text(), "# two");
  EXPECT_EQ(lexed.result.comments[2].text(), "# three");
}

TEST(Lexer, CharactersThatCannotBeSeenAreNamed) {
  EXPECT_THAT(
      Lexed("x = \x01").messages(),
      ElementsAre("invalid non-printable character U+0001"));
  EXPECT_THAT(
      Lexed("x = 1\u200b").messages(),
      ElementsAre("invalid non-printable character U+200B"));
}

TEST(Lexer, NumbersMayRunIntoKeywordsOnly) {
  EXPECT_THAT(
      Lexed("1if 0xfor 1_0j").tokens(),
      ElementsAre("1", "if", "0xf", "or", "1_0j", "NEWLINE"));
  EXPECT_THAT(Lexed("1é").messages(), ElementsAre("invalid decimal literal"));
}

TEST(Lexer, LimitsAreThoseOfCPython) {
  EXPECT_THAT(
      Lexed(std::string(200, '(') + std::string(200, ')')).messages(),
      IsEmpty());
  EXPECT_THAT(
      Lexed(std::string(201, '(')).messages(),
      ElementsAre("too many nested parentheses"));
  std::string deep;
  for (int i = 0; i < 101; ++i) {
    deep += std::string(i, ' ') + "if a:\n";
  }
  EXPECT_THAT(
      Lexed(deep).messages(), ElementsAre("too many levels of indentation"));
  std::string nested;
  for (int i = 0; i < 151; ++i) {
    nested += "f'{";
  }
  EXPECT_THAT(
      Lexed(nested).messages(), ElementsAre("too many nested f-strings"));
}

TEST(Lexer, NamesAreInternedOnce) {
  const Lexed lexed("a b a");
  const auto& tokens = lexed.result.tokens;
  EXPECT_EQ(tokens[0].payload, tokens[2].payload);
  EXPECT_NE(tokens[0].payload, tokens[1].payload);
}

}  // namespace
}  // namespace portwright::syntax

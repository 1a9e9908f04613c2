#include "syntax/parser.h"

#include <gtest/gtest.h>

#include "syntax/dump.h"
#include "syntax/printer.h"

namespace portwright::syntax {
namespace {

std::string repeat(std::string_view text, int times) {
  std::string out;
  for (int i = 0; i < times; ++i) {
    out += text;
  }
  return out;
}

std::string first_message(const std::string& source) {
  const ParseResult result = parse_module("t.py", source);
  return result.diagnostics.empty() ? "" : result.diagnostics[0].message;
}

TEST(Parser, AnEmptyFileIsAModule) {
  EXPECT_EQ(first_message(""), "");
  EXPECT_EQ(first_message("\n  # only this\n\\\n\n"), "");
}

TEST(Parser, TheTreeOwnsWhatItPointsTo) {
  Tree tree = parse_module("t.py", "x = 'text'").tree;
  const auto& assign = as<Assign>(*tree.body[0]);
  EXPECT_EQ(as<Constant>(*assign.value).text, "text");
  EXPECT_EQ(assign.value->span.text(), "'text'");
  EXPECT_EQ(assign.value->span.file, tree.source.get());
}

TEST(Parser, GoodStatementsSurviveFaultyOnes) {
  const ParseResult result = parse_module(
      "t.py",
      "a = 1\n"
      "b = = 2\n"
      "def f():\n    c = (\n    return 3\n"
      "if x y:\n    d\nelse:\n    e\n"
      "g = 4\n");
  EXPECT_EQ(result.diagnostics.size(), 3U);
  EXPECT_EQ(print(result.tree), "a = 1\n\ndef f():\n    return 3\ng = 4\n");
}

TEST(Parser, FaultsInsideABlockOfAFaultyLineAreListed) {
  const ParseResult result =
      parse_module("t.py", "if x y:\n    a b\n    c\nelse:\n    d e\n");
  EXPECT_EQ(result.diagnostics.size(), 3U);
}

TEST(Parser, FaultsHaveALimit) {
  const ParseResult result = parse_module("t.py", repeat("a b\n", 1000));
  EXPECT_EQ(result.diagnostics.size(), 100U);
}

TEST(Parser, NestingHasALimit) {
  const std::string message = "source is nested more than 1000 levels deep";
  EXPECT_EQ(first_message("x = " + repeat("-", 5000) + "1"), message);
  EXPECT_EQ(first_message("x = " + repeat("not ", 5000) + "1"), message);
  EXPECT_EQ(first_message("x = " + repeat("lambda: ", 5000) + "1"), message);
  EXPECT_EQ(first_message("x = " + repeat("1 ** ", 5000) + "1"), message);
  EXPECT_EQ(first_message("x = 1" + repeat(" if a else 1", 5000)), message);
  EXPECT_EQ(first_message("x = a" + repeat(".b", 5000)), message);
  EXPECT_EQ(first_message("x = a" + repeat("()", 5000)), message);
  EXPECT_EQ(first_message("x = 1" + repeat(" + 1", 5000)), message);
  EXPECT_EQ(first_message("if a: b\n" + repeat("elif a: b\n", 5000)), message);
  std::string wrapped = "a";
  for (int i = 0; i < 150; ++i) {
    wrapped = "(" + wrapped + repeat(".b", 20) + ")";
  }
  EXPECT_EQ(first_message(wrapped), message);
}

TEST(Parser, WhatIsOnlyLongIsNotDeep) {
  EXPECT_EQ(first_message("x = [" + repeat("a.b + c, ", 20000) + "]"), "");
  EXPECT_EQ(first_message("x = 1" + repeat(" and 1", 20000)), "");
  EXPECT_EQ(first_message("x = 1" + repeat(" < 1", 20000)), "");
  EXPECT_EQ(first_message(repeat("x = a.b\n", 20000)), "");
  EXPECT_EQ(first_message("x = 1" + repeat(" + 1", 900)), "");
  EXPECT_EQ(first_message("x = ''" + repeat(" ''", 20000)), "");
}

TEST(Parser, CommentsKeepTheirOrder) {
  const Tree tree = parse_module("t.py", "# a\nx = 1 # b\n# c").tree;
  ASSERT_EQ(tree.comments.size(), 3U);
  EXPECT_EQ(tree.comments[2].text(), "# c");
}

TEST(Parser, ColumnsCountBytesOfTheDecodedText) {
  const Tree tree =
      parse_module("t.py", "# coding: latin-1\nx = '\xFC', y").tree;
  EXPECT_EQ(
      dump(tree, true),
      "Module(body=[Assign(targets=[Name(id='x', ctx=Store(), lineno=2, "
      "col_offset=0, end_lineno=2, end_col_offset=1)], value=Tuple(elts=["
      "Constant(value='ü', lineno=2, col_offset=4, end_lineno=2, "
      "end_col_offset=8), Name(id='y', ctx=Load(), lineno=2, col_offset=10, "
      "end_lineno=2, end_col_offset=11)], ctx=Load(), lineno=2, col_offset=4, "
      "end_lineno=2, end_col_offset=11), lineno=2, col_offset=0, end_lineno=2, "
      "end_col_offset=11)], type_ignores=[])");
}

TEST(Parser, DumpsMayLeaveOutPositionsInsideFStrings) {
  const Tree tree = parse_module("t.py", "f'{x}'").tree;
  EXPECT_EQ(
      dump(tree, DumpOptions{true, false}),
      "Module(body=[Expr(value=JoinedStr(values=[FormattedValue(value=Name("
      "id='x', ctx=Load()), conversion=-1)], lineno=1, col_offset=0, "
      "end_lineno=1, end_col_offset=6), lineno=1, col_offset=0, end_lineno=1, "
      "end_col_offset=6)], type_ignores=[])");
}

TEST(Parser, AHugeIntegerIsRefused) {
  EXPECT_EQ(
      first_message("x = " + std::string(4301, '9')),
      "integer literal has more than 4300 decimal digits");
}

TEST(Printer, HeadersLeaveOutBlocksAndDecorators) {
  const Tree tree = parse_module(
                        "t.py",
                        "if self.use_rope: pass\n"
                        "@d\ndef f(a, *, b=1) -> int: pass\n"
                        "for i, x in enumerate(y): pass\n"
                        "with a as b: pass\n"
                        "x = 1\n")
                        .tree;
  std::vector<std::string> headers;
  for (const Stmt* stmt : tree.body) {
    headers.push_back(print_header(*stmt));
  }
  EXPECT_EQ(
      headers,
      (std::vector<std::string>{
          "if self.use_rope:",
          "def f(a, *, b=1) -> int:",
          "for i, x in enumerate(y):",
          "with a as b:",
          "x = 1"}));
}

TEST(Printer, ExpressionsAndPatterns) {
  const Tree tree =
      parse_module(
          "t.py", "match x:\n    case (1 | [a, *b]) as c: (d) + (e * f)")
          .tree;
  const MatchCase& only = as<Match>(*tree.body[0]).cases[0];
  EXPECT_EQ(print(*only.pattern), "1 | [a, *b] as c");
  EXPECT_EQ(print(*as<ExprStmt>(*only.body[0]).value), "d + e * f");
}

}  // namespace
}  // namespace portwright::syntax

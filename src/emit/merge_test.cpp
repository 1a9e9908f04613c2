#include "emit/merge.h"

#include <gtest/gtest.h>

namespace portwright::emit {
namespace {

using Lines = std::vector<std::string>;

constexpr Truth kNo = Truth::False, kYes = Truth::True;

/// Predicates are called p0, p1, ...
class Names : public Conditions {
 public:
  std::string text(int predicate, bool holds) override {
    return (holds ? "p" : "not p") + std::to_string(predicate);
  }
};

Sample sample(const Lines& lines, std::vector<Truth> truths) {
  return {parse_block(lines), std::move(truths)};
}

Lines merged(const std::vector<Sample>& samples, std::vector<int> order) {
  const auto block = merge(samples, order);
  if (!block) {
    return {"no predicate tells them apart"};
  }
  // Whatever was merged: every sample finds its own text again.
  for (const Sample& s : samples) {
    Block own = specialised(
        *block, [&](int predicate) { return s.truths[predicate] == kYes; });
    Block wanted = s.block;
    for (Block* b : {&own, &wanted}) {
      std::erase_if(*b, [](const Statement& x) { return x.text.empty(); });
    }
    EXPECT_EQ(own, wanted);
  }
  Names names;
  return lines_of(*block, names);
}

TEST(Merge, OneTextStaysItself) {
  const Lines text{"h = x", "if cache is not None:", "    h = h + 1"};
  EXPECT_EQ(merged({sample(text, {kNo}), sample(text, {kYes})}, {0}), text);
}

TEST(Merge, OnlyWhatDiffersStandsUnderTheCondition) {
  EXPECT_EQ(
      merged(
          {sample({"a = 1", "b = 2", "c = 3"}, {kNo}),
           sample({"a = 1", "c = 3"}, {kYes})},
          {0}),
      (Lines{"a = 1", "if not p0:", "    b = 2", "c = 3"}));
}

TEST(Merge, BlocksAreTreesAndKeepTheirHeaders) {
  EXPECT_EQ(
      merged(
          {sample(
               {"if c:", "    a = 1", "    b = 2", "else:", "    d = 4"},
               {kYes}),
           sample({"if c:", "    b = 2", "else:", "    d = 4"}, {kNo})},
          {0}),
      (Lines{
          "if c:",
          "    if p0:",
          "        a = 1",
          "    b = 2",
          "else:",
          "    d = 4"}));
}

TEST(Merge, ABlankLineIsNoClause) {
  Statement choice;
  choice.body = {Statement{.text = "a = 1"}};
  choice.clauses = {Statement{}};
  choice.choice = 0;
  Names names;
  EXPECT_EQ(lines_of({choice}, names), (Lines{"if p0:", "    a = 1"}));
  std::swap(choice.body, choice.clauses);
  EXPECT_EQ(lines_of({choice}, names), (Lines{"if not p0:", "    a = 1"}));
}

TEST(Merge, TwoFormsBecomeIfAndElse) {
  EXPECT_EQ(
      merged(
          {sample({"a = 1", "return a"}, {kYes}),
           sample({"a = 2", "return a"}, {kNo})},
          {0}),
      (Lines{"if p0:", "    a = 1", "else:", "    a = 2", "return a"}));
}

TEST(Merge, ChoicesInDifferentPlacesStayIndependent) {
  // Nobody has seen p0 and p1 together; each decides its own line.
  EXPECT_EQ(
      merged(
          {sample({"a = 1", "b = 1", "c = 1"}, {kNo, kNo}),
           sample({"a = 2", "b = 1", "c = 1"}, {kYes, kNo}),
           sample({"a = 1", "b = 1", "c = 2"}, {kNo, kYes})},
          {0, 1}),
      (Lines{
          "if p0:",
          "    a = 2",
          "else:",
          "    a = 1",
          "b = 1",
          "if p1:",
          "    c = 2",
          "else:",
          "    c = 1"}));
}

TEST(Merge, ThreeFormsBecomeAChain) {
  EXPECT_EQ(
      merged(
          {sample({"a = 1"}, {kYes, kNo}),
           sample({"a = 2"}, {kNo, kYes}),
           sample({"a = 3"}, {kNo, kNo})},
          {0, 1}),
      (Lines{
          "if p0:",
          "    a = 1",
          "elif p1:",
          "    a = 2",
          "else:",
          "    a = 3"}));
}

TEST(Merge, TheFirstPredicateInOrderThatSeparatesIsTaken) {
  const std::vector<Sample> samples{
      sample({"a = 1"}, {kYes, kNo}), sample({"a = 2"}, {kNo, kYes})};
  EXPECT_EQ(merged(samples, {1, 0}).front(), "if p1:");
}

TEST(Merge, AnUnknownPredicateDecidesNothing) {
  EXPECT_FALSE(merge(
      {sample({"a = 1"}, {Truth::Unknown}), sample({"a = 2"}, {kYes})}, {0}));
}

TEST(Merge, WhatReturnsNeedsNoElse) {
  EXPECT_EQ(
      merged({sample({"return a"}, {kYes}), sample({"return b"}, {kNo})}, {0}),
      (Lines{"if p0:", "    return a", "return b"}));
}

TEST(Merge, ABlankLineIsNobodysOwn) {
  EXPECT_EQ(
      merged(
          {sample({"a = 1", "", "b = 2"}, {kYes}),
           sample({"a = 1", "b = 2"}, {kNo})},
          {0}),
      (Lines{"a = 1", "", "b = 2"}));
}

TEST(Merge, APredicateThatHasAPartInALongerRunIsAskedFirst) {
  EXPECT_EQ(
      merged(
          {sample({"k = 1", "v = 2", "update"}, {kNo, kYes}),
           sample({"k = 1", "v = 3", "update"}, {kNo, kNo}),
           sample({"k = 4"}, {kYes, kYes}),
           sample({"k = 4"}, {kYes, kNo})},
          {1, 0}),
      (Lines{
          "if p0:",
          "    k = 4",
          "else:",
          "    k = 1",
          "    if p1:",
          "        v = 2",
          "    else:",
          "        v = 3",
          "    update"}));
}

TEST(Merge, WhatAConditionAloneStandsBelowIsJoinedWithIt) {
  EXPECT_EQ(
      merged(
          {sample({"a", "b", "c"}, {kYes, kYes}),
           sample({"a", "c"}, {kYes, kNo}),
           sample({"a", "c"}, {kNo, kYes})},
          {0, 1}),
      (Lines{"a", "if p0 and p1:", "    b", "c"}));
}

TEST(Merge, AConditionIsNotNegatedWhereBothSidesHaveSomethingToDo) {
  struct : Conditions {
    std::string text(int, bool holds) override {
      return holds ? "not shared" : "shared";
    }
  } negative;
  const auto block = merge({sample({"a"}, {kYes}), sample({"b"}, {kNo})}, {0});
  EXPECT_EQ(
      lines_of(*block, negative),
      (Lines{"if shared:", "    b", "else:", "    a"}));
}

}  // namespace
}  // namespace portwright::emit

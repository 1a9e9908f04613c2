#include "emit/naming.h"

#include <gmock/gmock.h>

namespace portwright::emit {
namespace {

using testing::ElementsAre;
using Lines = std::vector<std::string>;

Lines named(const Lines& lines) {
  return with_fewer_names({"self", "x: mx.array", "h", "mask=None"}, lines);
}

TEST(Naming, GivesANameAnewWhereTheOldValueIsReadNoMore) {
  EXPECT_THAT(
      named({"h2 = self.norm(h)", "", "h3 = h2 + x", "return h3"}),
      ElementsAre("h = self.norm(h)", "", "h = h + x", "return h"));
}

TEST(Naming, SaysNothingTwice) {
  EXPECT_THAT(
      named({"h2 = h * 2", "h = h2", "return h"}),
      ElementsAre("h = h * 2", "return h"));
}

TEST(Naming, KeepsBothWhereBothAreRead) {
  const Lines lines{"h2 = self.norm(h)", "return h + h2"};
  EXPECT_EQ(named(lines), lines);
}

TEST(Naming, GivesTheNameBeforeTheValueThatIsToHaveIt) {
  EXPECT_THAT(
      named(
          {"queries2 = self.q_proj(x)",
           "if self.use_qk_norm:",
           "    queries2 = self.q_norm(queries2)",
           "queries = queries2.transpose(0, 2, 1, 3)",
           "return queries"}),
      ElementsAre(
          "queries = self.q_proj(x)",
          "if self.use_qk_norm:",
          "    queries = self.q_norm(queries)",
          "queries = queries.transpose(0, 2, 1, 3)",
          "return queries"));
}

TEST(Naming, SeesWhatTheNextTurnOfALoopReads) {
  const Lines lines{
      "h2 = x",
      "for i in range(3):",
      "    h2 = self.layers[i](h, h2)",
      "return h2"};
  EXPECT_EQ(named(lines), lines);
}

TEST(Naming, SeesEitherSideOfACondition) {
  const Lines lines{
      "h2 = self.norm(h)", "if self.scaled:", "    h2 = h2 * h", "return h2"};
  EXPECT_EQ(named(lines), lines);
}

TEST(Naming, LeavesNamesOfArgumentsAndMembers) {
  EXPECT_THAT(
      named({"mask2 = self.mask2(mask)", "return f(x, mask2=mask2)"}),
      ElementsAre("mask = self.mask2(mask)", "return f(x, mask2=mask)"));
}

TEST(Naming, LeavesPartsOfAWhole) {
  const Lines lines{
      "x1, x2 = mx.split(x, 2, axis=-1)", "return mx.concatenate([-x2, x1])"};
  EXPECT_EQ(named(lines), lines);
}

TEST(Naming, LeavesNamesOfTheModule) {
  const Lines lines{"y2 = swiglu(y, x)", "return y2"};
  EXPECT_EQ(named(lines), lines);
}

TEST(Naming, LeavesWhatALambdaMayReadLater) {
  const Lines lines{"h2 = self.norm(h)", "return map(lambda v: v + h2, x)"};
  EXPECT_EQ(named(lines), lines);
}

}  // namespace
}  // namespace portwright::emit

#include "emit/copies.h"

#include <gmock/gmock.h>

namespace portwright::emit {
namespace {

using testing::ElementsAre;

TEST(Copies, AreNotMadeOfWhatIsReadNoMore) {
  EXPECT_THAT(
      without_copies(
          {"y = mx.ones((3,))",
           "y2 = mx.array(y)",
           "y2[:1] = x",
           "y3 = mx.array(y2)",
           "y3[1:] = x",
           "return y3"}),
      ElementsAre("y = mx.ones((3,))", "y[:1] = x", "y[1:] = x", "return y"));
}

TEST(Copies, StayWhereTheOldValueIsReadToo) {
  const Lines lines{
      "y = mx.ones((3,))", "y2 = mx.array(y)", "y2[:1] = x", "return y + y2"};
  EXPECT_EQ(without_copies(lines), lines);
}

TEST(Copies, StayOfWhatMayBeAnotherOnesArray) {
  const Lines weight{"y = self.weight", "y2 = mx.array(y)", "y2[:1] = x"};
  EXPECT_EQ(without_copies(weight), weight);
  const Lines kept{
      "y = mx.ones((3,))",
      "states.append(y)",
      "y2 = mx.array(y)",
      "y2[:1] = x"};
  EXPECT_EQ(without_copies(kept), kept);
  const Lines given{"y2 = mx.array(x)", "y2[:1] = 0", "return y2"};
  EXPECT_EQ(without_copies(given), given);
}

TEST(Copies, ElementsAreChangedInPlace) {
  EXPECT_THAT(
      without_copies(
          {"m = mx.ones((3,))",
           "y = m[:1] * a",
           "y2 = mx.array(m)",
           "y2[:1] = y",
           "self.m = y2"}),
      ElementsAre("m = mx.ones((3,))", "m[:1] *= a", "self.m = m"));
}

}  // namespace
}  // namespace portwright::emit

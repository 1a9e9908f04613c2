#include "emit/expression.h"

#include <gtest/gtest.h>

namespace portwright::emit {
namespace {

const Expression kSum = infix({"a"}, "+", {"b"});

TEST(Expression, ParenthesisesWhatBindsLooser) {
  EXPECT_EQ(infix(kSum, "*", {"c"}).text, "(a + b) * c");
  EXPECT_EQ(infix({"c"}, "*", kSum).text, "c * (a + b)");
  EXPECT_EQ(infix(kSum, "+", {"c"}).text, "a + b + c");
}

TEST(Expression, KeepsTheRightOperandOfAMinusTogether) {
  EXPECT_EQ(infix({"c"}, "-", kSum).text, "c - (a + b)");
}

TEST(Expression, BindsPowersToTheRight) {
  const auto power = infix({"a"}, "**", {"b"});
  EXPECT_EQ(infix(power, "**", {"c"}).text, "(a ** b) ** c");
  EXPECT_EQ(infix({"c"}, "**", power).text, "c ** a ** b");
}

TEST(Expression, CallsMethodsOnPrimaries) {
  EXPECT_EQ(
      method(kSum, "reshape", {"B", "-1"}).text, "(a + b).reshape(B, -1)");
  EXPECT_EQ(method({"x"}, "squeeze", {}).text, "x.squeeze()");
  EXPECT_EQ(attribute(kSum, "T").text, "(a + b).T");
  EXPECT_EQ(call("mx.tanh", {"x"}).text, "mx.tanh(x)");
}

}  // namespace
}  // namespace portwright::emit

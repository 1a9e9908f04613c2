#include "emit/flags.h"

#include <gtest/gtest.h>

namespace portwright::emit {
namespace {

TEST(Negated, ReadsAsAPersonWouldWriteIt) {
  EXPECT_EQ(negated("args.use_qk_norm"), "not args.use_qk_norm");
  EXPECT_EQ(negated("not self.flag"), "self.flag");
  EXPECT_EQ(negated("args.clip is None"), "args.clip is not None");
  EXPECT_EQ(negated("args.clip is not None"), "args.clip is None");
  EXPECT_EQ(negated("args.n > 0"), "args.n <= 0");
  EXPECT_EQ(negated("args.n >= 2"), "args.n < 2");
  EXPECT_EQ(negated("args.act == \"silu\""), "args.act != \"silu\"");
  EXPECT_EQ(negated("layer_idx in args.dense"), "layer_idx not in args.dense");
  EXPECT_EQ(negated("layer_idx not in args.dense"), "layer_idx in args.dense");
}

TEST(Negated, WhatIsJoinedIsNegatedAsAWhole) {
  EXPECT_EQ(
      negated("args.a is None and args.b > 0"),
      "not (args.a is None and args.b > 0)");
  EXPECT_EQ(negated("not a and b"), "not (not a and b)");
}

TEST(Negated, OperatorsInParenthesesAreNotItsOwn) {
  EXPECT_EQ(
      negated("(layer_idx + 1) % args.step == 0"),
      "(layer_idx + 1) % args.step != 0");
  EXPECT_EQ(negated("bool(args.n == 2)"), "not (bool(args.n == 2))");
}

}  // namespace
}  // namespace portwright::emit

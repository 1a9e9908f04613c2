#include "emit/matrices.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace portwright::emit {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

using Lines = std::vector<std::string>;

TEST(Matrices, RowsOfInputsAreALinearLayer) {
  ClassText c;
  c.init = {"self.proj = mx.zeros((args.dim, args.wide))"};
  c.call = {"y = (x + 1) @ self.proj", "return (y @ self.proj).swapaxes(0, 1)"};
  const auto moved = hold_in_layer(c, "proj", false);
  ASSERT_TRUE(moved);
  EXPECT_THAT(
      c.init,
      ElementsAre("self.proj = nn.Linear(args.dim, args.wide, bias=False)"));
  EXPECT_THAT(
      c.call,
      ElementsAre(
          "y = self.proj(x + 1)", "return self.proj(y).swapaxes(0, 1)"));
  EXPECT_EQ(
      moving_code({{"proj", "proj.weight", true, {"logits"}}}),
      "    for k in [k for k in weights if k.endswith(\".logits.proj\")]:\n"
      "        weights[k + \".weight\"] = weights.pop(k).swapaxes(-1, -2)\n");
}

TEST(Matrices, ALinearLayerHasTheBiasThatIsAdded) {
  ClassText c;
  c.init = {
      "self.weight = mx.zeros((input_dims, output_dims))",
      "self.bias = mx.zeros((output_dims,))"};
  c.call = {"return mx.addmm(self.bias, x, self.weight)"};
  const auto moved = hold_in_layer(c, "weight", false);
  ASSERT_TRUE(moved);
  EXPECT_EQ(moved->bias, "bias");
  EXPECT_THAT(
      c.init, ElementsAre("self.linear = nn.Linear(input_dims, output_dims)"));
  EXPECT_THAT(c.call, ElementsAre("return self.linear(x)"));
  EXPECT_THAT(
      moving_code({{"weight", "linear.weight", true, {"c_attn", "c_proj"}}}),
      HasSubstr("weights[k.replace(\".weight\", \".linear.weight\")]"));
}

TEST(Matrices, StacksAreAMultiLinearLayer) {
  ClassText c;
  c.init = {
      "self.up = mx.zeros((args.n, args.dim, args.wide))",
      "self.down = mx.zeros((args.n, args.dim, args.wide))"};
  c.call = {
      "y = self.up",
      "h = x.reshape(y.shape[0], -1, 4) @ self.up",
      "return nn.silu(h) @ self.down.swapaxes(-2, -1)"};
  ASSERT_TRUE(hold_in_layer(c, "up", false));
  ASSERT_TRUE(hold_in_layer(c, "down", false));
  EXPECT_THAT(
      c.init,
      ElementsAre(
          "self.up = MultiLinear(args.dim, args.wide, args.n)",
          "self.down = MultiLinear(args.wide, args.dim, args.n)"));
  EXPECT_THAT(
      c.call,
      ElementsAre(
          "y = self.up.weight",
          "h = self.up(x.reshape(y.shape[0], -1, 4))",
          "return self.down(nn.silu(h))"));
}

TEST(Matrices, RowsOfTheModelsEmbeddingAreOne) {
  ClassText c;
  c.init = {"self.weight = mx.zeros((args.vocab, args.dim))"};
  c.call = {"return self.norm(self.weight[x])"};
  EXPECT_FALSE(hold_in_layer(c, "weight", false));  // of another table
  ASSERT_TRUE(hold_in_layer(c, "weight", true));
  EXPECT_THAT(
      c.init,
      ElementsAre("self.embedding = nn.Embedding(args.vocab, args.dim)"));
  EXPECT_THAT(c.call, ElementsAre("return self.norm(self.embedding(x))"));
}

TEST(Matrices, WhatIsReadOtherwiseStays) {
  const auto stays = [](const char* sizes, Lines call) {
    ClassText c;
    c.init = {"self.w = mx.zeros((" + std::string(sizes) + "))"};
    c.call = call;
    return !hold_in_layer(c, "w", false) && c.call == call;
  };
  EXPECT_TRUE(stays("a, b", {"return x @ self.w + self.w[0]"}));
  EXPECT_TRUE(stays("a, b", {"return x @ self.w @ self.w.T"}));
  // A router's, which stays as precise as it is.
  EXPECT_TRUE(stays("a, b", {"return x @ self.w.T"}));
  EXPECT_TRUE(stays("n, a, b", {"y = self.w", "return x @ self.w + y"}));
  EXPECT_TRUE(stays("n, a, b", {"return self.w[:, None] @ x"}));
}

}  // namespace
}  // namespace portwright::emit

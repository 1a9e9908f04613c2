#include "emit/token_rows.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace portwright::emit {
namespace {

using testing::ElementsAre;
using Text = std::vector<std::string>;

ClassText
cls(const std::string& name, const std::string& given, Text init, Text call) {
  ClassText c;
  c.name = name;
  c.init = std::move(init);
  c.call_params = {given + ": mx.array"};
  c.call = std::move(call);
  return c;
}

/// A router that answers rows, the experts it is for, and the model.
std::vector<ClassText> model() {
  return {
      cls("Router",
          "x",
          {"self.dim = args.hidden_size",
           "self.n_group = args.n_group",
           "self.each = args.n_experts // args.n_group",
           "self.k = args.k",
           "self.weight = mx.zeros((args.n_experts, args.hidden_size))"},
          {"s = mx.sigmoid(x.reshape(-1, self.dim) @ self.weight.T)",
           "grouped = s.reshape(-1, self.n_group, self.each)",
           "best = mx.topk(grouped, 2, axis=2).sum(axis=-1)",
           "inds = mx.argpartition(-s, kth=self.k - 1, axis=1)[..., :self.k]",
           "return mx.take_along_axis(s, inds, axis=1), inds, best"}),
      cls("MoE",
          "x",
          {"self.gate = Router(args)",
           "self.shared = nn.Linear(args.hidden_size, args.hidden_size)",
           "self.switch_mlp = SwitchGLU(args.hidden_size, args.inner, args.n)"},
          {"B, L, D = x.shape",
           "",
           "h = x.reshape(-1, D)",
           "scores, inds, best = self.gate(x)",
           "y = self.switch_mlp(h, inds)",
           "h2 = (y * scores[..., None]).sum(axis=-2) + self.shared(h)",
           "out = h2.reshape(B, L, D)",
           "return out"}),
      cls("Net",
          "inputs",
          {"self.embed = nn.Embedding(args.vocab_size, args.hidden_size)",
           "self.mlp = MoE(args)"},
          {"return self.mlp(self.embed(inputs))"})};
}

TEST(TokenRows, TokensKeepTheirShapeOnTheirWayToExpertsAndBack) {
  auto classes = model();
  keep_tokens_in_place(classes);
  EXPECT_THAT(
      classes[1].call,
      ElementsAre(
          "scores, inds, best = self.gate(x)",
          "y = self.switch_mlp(x, inds)",
          "out = (y * scores[..., None]).sum(axis=-2) + self.shared(x)",
          "return out"));
}

TEST(TokenRows, ARouterChangesWithItsCallerAndCountsAxesFromTheEnd) {
  auto classes = model();
  keep_tokens_in_place(classes);
  EXPECT_THAT(
      classes[0].call,
      ElementsAre(
          "s = mx.sigmoid(x @ self.weight.T)",
          "grouped = mx.unflatten(s, -1, (self.n_group, self.each))",
          "best = mx.topk(grouped, 2, axis=-1).sum(axis=-1)",
          "inds = mx.argpartition(-s, kth=self.k - 1, axis=-1)[..., :self.k]",
          "return mx.take_along_axis(s, inds, axis=-1), inds, best"));
}

TEST(TokenRows, WhatSeesAllRowsKeepsThem) {
  for (const char* line :
       {"h = h - h.mean(axis=0)",
        "h = h * mx.cumsum(h, axis=0)",
        "h = h[:4]",
        "h = h.T @ h"}) {
    auto classes = model();
    classes[1].call.insert(classes[1].call.begin() + 3, line);
    const auto before = classes;
    keep_tokens_in_place(classes);
    EXPECT_EQ(classes[1].call, before[1].call) << line;
    EXPECT_EQ(classes[0].call, before[0].call) << line;
  }
}

TEST(TokenRows, AnotherWidthIsNotThatOfTokens) {
  auto classes = model();
  classes[0].init[0] = "self.dim = args.head_dim";
  const auto before = classes;
  keep_tokens_in_place(classes);
  EXPECT_EQ(classes[0].call, before[0].call);
}

}  // namespace
}  // namespace portwright::emit

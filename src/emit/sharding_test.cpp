#include "emit/sharding.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace portwright::emit {
namespace {

using testing::HasSubstr;
using testing::Not;

const std::map<std::string, std::string> kPlan = {
    {"layers.*.attn.q", "colwise"},
    {"layers.*.attn.o", "rowwise"},
    {"layers.*.attn.norm", "replicated_with_grad_allreduce"},
    {"layers.*.mlp.up", "colwise"},
    {"layers.*.mlp.down", "rowwise"},
};

ClassText made(
    std::string name,
    std::vector<std::string> init,
    std::vector<std::string> call = {}) {
  ClassText text;
  text.name = std::move(name);
  text.init = std::move(init);
  text.call = std::move(call);
  return text;
}

/// A layer of attention and an MLP, and a backbone of such layers.
std::vector<ClassText> model(ClassText attention, ClassText mlp) {
  return {
      std::move(attention),
      std::move(mlp),
      made(
          "Layer",
          {"self.attn = Attention(args)",
           "self.mlp = MLP(args)",
           "self.norm = nn.RMSNorm(args.hidden_size)"}),
      made("Backbone", {"self.layers = [Layer(args) for i in range(args.n)]"})};
}

const ClassText kAttention = made(
    "Attention",
    {"self.head_dim = args.head_dim",
     "self.scale = args.head_dim**-0.5",
     "self.q = nn.Linear(args.dim, args.heads * args.head_dim)",
     "self.o = nn.Linear(args.heads * args.head_dim, args.dim)",
     "self.norm = nn.RMSNorm(args.head_dim)"},
    {"q = self.norm(self.q(x).reshape(B, L, -1, self.head_dim))",
     "h = scaled_dot_product_attention(q, q, q, cache=None, scale=self.scale)",
     "return self.o(h.transpose(0, 2, 1, 3).reshape(B, L, -1))"});

const ClassText kMlp = made(
    "MLP",
    {"self.up = nn.Linear(args.dim, args.wide)",
     "self.down = nn.Linear(args.wide, args.dim)"},
    {"return self.down(nn.silu(self.up(x)))"});

TEST(Sharding, SplitsByColumnsThenByRowsAsThePlanSays) {
  const std::string method =
      shard_method(model(kAttention, kMlp), "model.layers", kPlan);
  EXPECT_THAT(method, HasSubstr("for layer in self.model.layers:"));
  EXPECT_THAT(
      method,
      HasSubstr(
          "layer.attn.q = shard_linear(layer.attn.q, \"all-to-sharded\""));
  EXPECT_THAT(
      method,
      HasSubstr(
          "layer.mlp.down = shard_linear(layer.mlp.down, \"sharded-to-all\""));
}

TEST(Sharding, HoldsWholeWhatCountsHeads) {
  ClassText attention = kAttention;
  attention.init.push_back("self.heads = args.heads");
  attention.call[0] = "q = self.q(x).reshape(B, L, self.heads, -1)";
  const std::string method =
      shard_method(model(attention, kMlp), "model.layers", kPlan);
  EXPECT_THAT(method, Not(HasSubstr("attn")));
  EXPECT_THAT(method, HasSubstr("mlp.up"));
}

TEST(Sharding, HoldsWholeWhatSeesAllColumns) {
  for (const char* call :
       {"return self.down(mx.fast.rms_norm(self.up(x), None, 1e-5))",
        "return self.down(mx.split(self.up(x), 2, axis=-1)[0])",
        "return self.down(self.up(x)[..., self.order])"}) {
    ClassText mlp = kMlp;
    mlp.init.push_back("self.order = args.order");
    mlp.call = {call};
    EXPECT_THAT(
        shard_method(model(kAttention, mlp), "model.layers", kPlan),
        Not(HasSubstr("mlp")))
        << call;
  }
}

TEST(Sharding, HoldsWholeWhatHasWeightsThatThePlanDoesNotName) {
  ClassText attention = kAttention;
  attention.init.push_back("self.sinks = mx.zeros((args.heads,))");
  auto plan = kPlan;
  EXPECT_THAT(
      shard_method(model(attention, kMlp), "model.layers", plan),
      Not(HasSubstr("attn")));
  plan.erase("layers.*.attn.norm");
  EXPECT_THAT(
      shard_method(model(kAttention, kMlp), "model.layers", plan),
      Not(HasSubstr("attn")));
}

TEST(Sharding, LeavesModelsAloneThatItDoesNotRead) {
  auto classes = model(kAttention, kMlp);
  EXPECT_EQ(shard_method(classes, "model.layers", {}), "");
  EXPECT_EQ(shard_method(classes, "transformer.h", kPlan), "");
  classes[1].init.push_back("self.switch_mlp = SwitchGLU(1, 2, 3)");
  EXPECT_EQ(shard_method(classes, "model.layers", kPlan), "");
  classes = model(kAttention, kMlp);
  classes[2].init.push_back("if i > 2:\n    self.mlp = Other(args)");
  EXPECT_EQ(shard_method(classes, "model.layers", kPlan), "");
}

}  // namespace
}  // namespace portwright::emit

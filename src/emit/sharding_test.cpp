#include "emit/sharding.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace portwright::emit {
namespace {

using testing::HasSubstr;
using testing::Not;

ClassText made(
    std::string name,
    std::vector<std::string> init,
    std::vector<std::string> call = {},
    std::vector<std::string> parameters = {"x: mx.array"}) {
  ClassText text;
  text.name = std::move(name);
  text.init = std::move(init);
  text.call = std::move(call);
  text.call_params = std::move(parameters);
  return text;
}

const ClassText kAttention = made(
    "Attention",
    {"self.head_dim = args.head_dim",
     "self.scale = args.head_dim**-0.5",
     "self.q = nn.Linear(args.dim, args.heads * args.head_dim, bias=False)",
     "self.k = nn.Linear(args.dim, args.heads * args.head_dim, bias=False)",
     "self.o = nn.Linear(args.heads * args.head_dim, args.dim, bias=False)",
     "self.norm = nn.RMSNorm(args.head_dim)",
     "self.rope = initialize_rope(args.head_dim)"},
    {"B, L, _ = x.shape",
     "q = self.norm(self.q(x).reshape(B, L, -1, self.head_dim))",
     "q = self.rope(q.transpose(0, 2, 1, 3))",
     "k = self.k(x).reshape(B, L, -1, self.head_dim).transpose(0, 2, 1, 3)",
     "if cache is not None:",
     "    k, v = cache.update_and_fetch(k, k)",
     "else:",
     "    v = k",
     "h = scaled_dot_product_attention(q, k, v, cache=cache, "
     "scale=self.scale, mask=mask)",
     "return self.o(h.transpose(0, 2, 1, 3).reshape(B, L, -1))"},
    {"x: mx.array",
     "mask: Optional[mx.array] = None",
     "cache: Optional[Any] = None"});

const ClassText kMlp = made(
    "MLP",
    {"self.gate = nn.Linear(args.dim, args.wide, bias=False)",
     "self.up = nn.Linear(args.dim, args.wide, bias=False)",
     "self.down = nn.Linear(args.wide, args.dim, bias=False)"},
    {"return self.down(nn.silu(self.gate(x)) * self.up(x))"});

std::vector<ClassText> model(ClassText attention, ClassText mlp) {
  return {
      std::move(attention),
      std::move(mlp),
      made(
          "Layer",
          {"self.attn = Attention(args)",
           "self.mlp = MLP(args)",
           "self.norm = nn.RMSNorm(args.dim)"}),
      made("Backbone", {"self.layers = [Layer(args) for i in range(args.n)]"})};
}

std::string method(std::vector<ClassText> classes) {
  return write_sharding(classes, "model.layers").method;
}

TEST(Sharding, MatricesByHeadGoByHeads) {
  const ClassText attention = made(
      "Attention",
      {"self.head_dim = args.head_dim",
       "self.scale = args.head_dim**-0.5",
       "self.q = nn.Linear(args.dim, args.heads * args.head_dim, bias=False)",
       "self.kv = nn.Linear(args.dim, args.rank, bias=False)",
       "self.embed_q = MultiLinear(args.head_dim, args.rank, args.heads)",
       "self.unembed_out = MultiLinear(args.rank, args.v, args.heads)",
       "self.o = nn.Linear(args.heads * args.v, args.dim, bias=False)"},
      {"B, L, _ = x.shape",
       "q = self.q(x).reshape(B, L, -1, self.head_dim).transpose(0, 2, 1, 3)",
       "kv = self.kv(x).reshape(B, 1, L, self.rank)",
       "if cache is not None:",
       "    kv, _ = cache.update_and_fetch(kv, kv)",
       "if L == 1:",
       "    h = scaled_dot_product_attention(self.embed_q(q), kv, kv, "
       "cache=cache, scale=self.scale, mask=mask)",
       "    h = self.unembed_out(h)",
       "else:",
       "    h = scaled_dot_product_attention(q, self.embed_q(kv, "
       "transpose=False), self.unembed_out(kv), cache=cache, "
       "scale=self.scale, mask=mask)",
       "return self.o(h.transpose(0, 2, 1, 3).reshape(B, L, -1))"},
      {"x: mx.array",
       "mask: Optional[mx.array] = None",
       "cache: Optional[Any] = None"});
  const std::string text = method(model(attention, kMlp));
  for (const char* line :
       {"layer.attn.embed_q.apply(lambda w: mx.split(w, N)[group.rank()])",
        "layer.attn.unembed_out.apply(lambda w: mx.split(w, N)[group.rank()])",
        "layer.attn.q = shard_linear(layer.attn.q, \"all-to-sharded\"",
        "layer.attn.o = shard_linear(layer.attn.o, \"sharded-to-all\""}) {
    EXPECT_THAT(text, HasSubstr(line));
  }
  EXPECT_THAT(text, Not(HasSubstr("layer.attn.kv")));  // what all heads read
}

TEST(Sharding, SplitsByHeadsAndByColumns) {
  const std::string text = method(model(kAttention, kMlp));
  for (const char* line :
       {"for layer in self.model.layers:",
        "layer.attn.q = shard_linear(layer.attn.q, \"all-to-sharded\"",
        "layer.attn.k = shard_linear(layer.attn.k, \"all-to-sharded\"",
        "layer.attn.o = shard_linear(layer.attn.o, \"sharded-to-all\"",
        "layer.mlp.up = shard_linear(layer.mlp.up, \"all-to-sharded\"",
        "layer.mlp.down = shard_linear(layer.mlp.down, \"sharded-to-all\""}) {
    EXPECT_THAT(text, HasSubstr(line));
  }
  EXPECT_THAT(text, Not(HasSubstr("//=")));
}

TEST(Sharding, DividesWhatCountsHeads) {
  ClassText attention = kAttention;
  attention.init.insert(attention.init.begin(), "self.heads = args.heads");
  attention.call[1] =
      "q = self.norm(self.q(x).reshape(B, L, self.heads, self.head_dim))";
  EXPECT_THAT(
      method(model(attention, kMlp)), HasSubstr("layer.attn.heads //= N"));
  // ... unless something needs all of them.
  attention.call[8] = "h = scaled_dot_product_attention(q, k, v, cache=cache, "
                      "scale=1.0 / self.heads, mask=mask)";
  EXPECT_THAT(method(model(attention, kMlp)), Not(HasSubstr("attn")));
}

TEST(Sharding, TellsTheSegmentsOfFusedLayers) {
  const ClassText fused = made(
      "MLP",
      {"self.gate_up = nn.Linear(args.dim, 2 * args.wide, bias=False)",
       "self.down = nn.Linear(args.wide, args.dim, bias=False)"},
      {"gate, up = mx.split(self.gate_up(x), 2, axis=-1)",
       "return self.down(nn.silu(gate) * up)"});
  EXPECT_THAT(
      method(model(kAttention, fused)),
      HasSubstr("layer.mlp.gate_up = shard_linear(layer.mlp.gate_up, "
                "\"all-to-sharded\", segments=2, group=group)"));
  ClassText placed = fused;
  placed.init.insert(placed.init.begin(), "self.wide = args.wide");
  placed.call[0] = "gate, up = mx.split(self.gate_up(x), [self.wide], axis=-1)";
  const std::string text = method(model(kAttention, placed));
  EXPECT_THAT(text, HasSubstr("segments=[layer.mlp.wide]"));
  EXPECT_THAT(text, HasSubstr("layer.mlp.wide //= N"));
}

TEST(Sharding, SlicesOfColumnsAreSegments) {
  const ClassText sliced = made(
      "MLP",
      {"self.one = args.one",
       "self.two = args.two",
       "self.all = nn.Linear(args.dim, 3 * args.wide, bias=False)",
       "self.down = nn.Linear(args.wide, args.dim, bias=False)"},
      {"y = self.all(x)",
       "y = y[..., : self.one] * y[..., self.one : self.two] * y[..., "
       "self.two :]",
       "return self.down(y)"});
  const std::string text = method(model(kAttention, sliced));
  EXPECT_THAT(text, HasSubstr("segments=[layer.mlp.one, layer.mlp.two]"));
  EXPECT_THAT(text, HasSubstr("layer.mlp.two //= N"));
  ClassText overlapping = sliced;
  overlapping.call[1] = "y = y[..., : self.one] * y[..., self.one :] * y[..., "
                        "self.two :]";
  EXPECT_THAT(
      method(model(kAttention, overlapping)), Not(HasSubstr("layer.mlp")));
}

TEST(Sharding, GroupsOfHeadsAreSplitByThoseOfKeys) {
  ClassText attention = kAttention;
  attention.call.pop_back();
  attention.call.back() = "B, heads, L, D = q.shape";
  attention.call.insert(
      attention.call.end(),
      {"q = (q * self.scale).reshape(B, k.shape[1], -1, L, D)",
       "scores = q @ mx.expand_dims(k, 2).swapaxes(-1, -2)",
       "scores = mx.softmax(scores, axis=-1)",
       "h = (scores @ mx.expand_dims(v, 2)).reshape(B, heads, L, -1)",
       "return self.o(h.transpose(0, 2, 1, 3).reshape(B, L, -1))"});
  EXPECT_THAT(
      method(model(attention, kMlp)), HasSubstr("layer.attn.o = shard_linear"));
  attention.call[attention.call.size() - 3] = "scores = scores / heads";
  EXPECT_THAT(method(model(attention, kMlp)), Not(HasSubstr("attn")));
}

TEST(Sharding, SlicesWeightsOfHeads) {
  ClassText attention = kAttention;
  attention.init.emplace_back("self.sinks = mx.zeros((args.heads,))");
  attention.call[8] = "h = scaled_dot_product_attention(q, k, v, cache=cache, "
                      "scale=self.scale, mask=mask, sinks=self.sinks)";
  EXPECT_THAT(
      method(model(attention, kMlp)),
      HasSubstr("layer.attn.sinks = mx.split(layer.attn.sinks, "
                "N)[group.rank()]"));
  attention.init.back() = "    " + attention.init.back();
  attention.init.insert(attention.init.end() - 1, "if args.has_sinks:");
  EXPECT_THAT(
      method(model(attention, kMlp)), HasSubstr("if \"sinks\" in layer.attn:"));
}

TEST(Sharding, HoldsWholeWhatSeesAllColumns) {
  for (const char* call :
       {"return self.down(mx.fast.rms_norm(self.up(x), None, 1e-5))",
        "return self.down(mx.softmax(self.up(x), axis=-1))",
        "return self.down(self.up(x)[..., 1:])",
        "return self.down(self.up(x) * self.weight)",
        "return self.down(unknown(self.up(x)))"}) {
    ClassText mlp = kMlp;
    mlp.init.emplace_back("self.weight = mx.zeros((args.wide,))");
    mlp.call = {call};
    EXPECT_THAT(method(model(kAttention, mlp)), Not(HasSubstr("mlp"))) << call;
  }
  ClassText attention = kAttention;
  attention.call[1] =
      "q = self.norm(self.q(x)).reshape(B, L, -1, self.head_dim)";
  EXPECT_THAT(method(model(attention, kMlp)), Not(HasSubstr("attn")));
}

const ClassText kExperts = made(
    "MLP",
    {"self.gate = nn.Linear(args.dim, args.n, bias=False)",
     "self.shared = Shared(args)",
     "self.switch_mlp = SwitchGLU(args.dim, args.wide, args.n, bias=False)"},
    {"scores = mx.softmax(self.gate(x), axis=-1)",
     "inds = mx.argpartition(-scores, kth=1, axis=-1)[..., :2]",
     "scores = mx.take_along_axis(scores, inds, axis=-1)",
     "y = self.switch_mlp(x, inds) * scores[..., None]",
     "return y.sum(axis=-2) + self.shared(x)"});

TEST(Sharding, ExpertsAnswerPartsOfASum) {
  ClassText shared = kMlp;
  shared.name = "Shared";
  auto classes = model(kAttention, kExperts);
  classes.push_back(shared);
  const Sharding sharding = write_sharding(classes, "model.layers");
  for (const char* line :
       {"layer.mlp.sharding_group = group",
        "shard_inplace(layer.mlp.switch_mlp.gate_proj, \"all-to-sharded\"",
        "shard_inplace(layer.mlp.switch_mlp.down_proj, \"sharded-to-all\"",
        "shard_inplace(layer.mlp.shared.down, \"sharded-to-all\""}) {
    EXPECT_THAT(sharding.method, HasSubstr(line));
  }
  EXPECT_THAT(sharding.method, Not(HasSubstr("layer.mlp.gate,")));
  EXPECT_THAT(
      sharding.functions,
      testing::ElementsAre("shard_inplace", "shard_linear", "sum_gradients"));
  EXPECT_EQ(classes[1].call.back(), "return out");
  EXPECT_THAT(
      classes[1].call,
      testing::Contains("    out = mx.distributed.all_sum(out, "
                        "group=self.sharding_group)"));
  EXPECT_EQ(classes[1].init.back(), "self.sharding_group = None");
}

TEST(Sharding, WhatIsAddedToAPartOfASumIsAPartToo) {
  ClassText experts = kExperts;
  experts.call.back() = "return y.sum(axis=-2) + x";
  auto classes = model(kAttention, experts);
  EXPECT_THAT(method(classes), Not(HasSubstr("mlp")));
}

TEST(Sharding, LayersThatHoldOtherClassesAreAsked) {
  auto classes = model(kAttention, kMlp);
  classes.push_back(kExperts);
  classes.back().name = "Experts";
  classes.back().init[1] = "self.shared = MLP(args)";
  classes[2].init[1] = "if i > 2:";
  classes[2].init.insert(
      classes[2].init.begin() + 2,
      {"    self.mlp = Experts(args)", "else:", "    self.mlp = MLP(args)"});
  const std::string text = method(classes);
  EXPECT_THAT(text, HasSubstr("if isinstance(mlp, MLP):"));
  EXPECT_THAT(text, HasSubstr("if isinstance(mlp, Experts):"));
}

TEST(Sharding, ModulesThatAConfigLeavesOutAreLookedFor) {
  auto classes = model(kAttention, kExperts);
  classes.push_back(kMlp);
  classes.back().name = "Shared";
  classes[1].init[1] = "if args.n_shared > 0:";
  classes[1].init.insert(
      classes[1].init.begin() + 2, "    self.shared = Shared(args)");
  EXPECT_THAT(
      method(classes),
      HasSubstr("        if \"shared\" in layer.mlp:\n"
                "            shard_inplace(layer.mlp.shared.up"));
}

TEST(Sharding, ModulesInAListOfTheirOwnAreGoneThrough) {
  auto classes = model(kAttention, kMlp);
  for (auto& line : classes[2].init) {
    if (line == "self.mlp = MLP(args)") {
      line = "self.mlp = [MLP(args), MLP(args)]";
    }
  }
  EXPECT_THAT(method(classes), HasSubstr("        for module in layer.mlp:\n"));
}

TEST(Sharding, OfHeadsThatAreCountedTheTokensMayBeWhatIsLeft) {
  ClassText attention = kAttention;
  attention.init.push_back("self.n_heads = args.heads");
  attention.call[1] =
      "q = self.norm(self.q(x).reshape(B, -1, self.n_heads, self.head_dim))";
  const std::string text = method(model(attention, kMlp));
  EXPECT_THAT(text, HasSubstr("layer.attn.q = shard_linear("));
  EXPECT_THAT(text, HasSubstr("layer.attn.n_heads //= N"));
}

}  // namespace
}  // namespace portwright::emit

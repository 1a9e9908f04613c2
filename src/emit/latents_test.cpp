#include "emit/latents.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace portwright::emit {
namespace {

using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;

using Lines = std::vector<std::string>;

const Lines kInit = {
    "self.nope = args.nope",
    "self.width = args.nope + args.v",
    "self.scale = args.nope ** -0.5",
    "self.up = nn.Linear(args.rank, args.heads * (args.nope + args.v), "
    "bias=False)"};

/// The forward, with this statement for its attention.
ClassText attention(const std::string& fused) {
  ClassText c;
  c.init = kInit;
  c.call = {
      "B, L, _ = x.shape",
      "if cache is not None:",
      "    c, r = cache.update_and_fetch(c, r)",
      "both = self.up(c).reshape(B, c.shape[2], -1, self.width)"
      ".transpose(0, 2, 1, 3)",
      "k, v = mx.split(both, [self.nope], axis=-1)",
      "spread = mx.broadcast_to(r, (r.shape[0], k.shape[1], r.shape[2], "
      "r.shape[3]))",
      fused,
      "return output"};
  return c;
}

const std::string kFused =
    "output = scaled_dot_product_attention(mx.concatenate([q, q_r], axis=-1), "
    "mx.concatenate([k, spread], axis=-1), v, cache=cache, scale=self.scale, "
    "mask=mask)";

TEST(Latents, AStepLeavesKeysAndValuesUnmade) {
  ClassText c = attention(kFused);
  const auto latent = keep_latents(c);
  ASSERT_TRUE(latent);
  EXPECT_THAT(
      c.init,
      ElementsAre(
          "self.scale = args.nope ** -0.5",
          "self.embed_q = MultiLinear(args.nope, args.rank, args.heads)",
          "self.unembed_out = MultiLinear(args.rank, args.v, args.heads)"));
  EXPECT_THAT(
      c.call,
      ElementsAre(
          "B, L, _ = x.shape",
          "if cache is not None:",
          "    c, r = cache.update_and_fetch(c, r)",
          "scores = (q_r * self.scale) @ r.swapaxes(-1, -2)",
          "if mask is not None:",
          "    scores = mx.where(mask, scores, mx.finfo(scores.dtype).min)",
          "if L == 1:",
          "    output = scaled_dot_product_attention(self.embed_q(q), c, c, "
          "cache=cache, scale=self.scale, mask=scores)",
          "    output = self.unembed_out(output)",
          "else:",
          "    output = scaled_dot_product_attention(q, self.embed_q(c, "
          "transpose=False), self.unembed_out(c), cache=cache, "
          "scale=self.scale, mask=scores)",
          "return output"));
}

TEST(Latents, QueriesThatAreNotJoinedAreSplit) {
  std::string fused = kFused;
  fused.replace(
      fused.find("mx.conc"),
      std::string("mx.concatenate([q, q_r], axis=-1)").size(),
      "queries");
  ClassText c = attention(fused);
  ASSERT_TRUE(keep_latents(c));
  EXPECT_THAT(
      c.call,
      Contains("q_nope, q_pe = mx.split(queries, [self.nope], axis=-1)"));
}

TEST(Latents, WeightsAreCutByHeads) {
  const std::string code =
      latent_code({{"up", "args.heads", "args.rank", "args.nope", "args.v"}});
  EXPECT_THAT(code, HasSubstr("w.reshape(self.args.heads, -1, w.shape[-1])"));
  EXPECT_THAT(
      code,
      HasSubstr("weights[k.replace(\"up\", \"embed_q\")] = w[:, "
                ":self.args.nope].swapaxes(-1, -2)"));
}

TEST(Latents, WhatElseReadsKeysKeepsThem) {
  ClassText c = attention(kFused);
  c.call.back() = "return output + k";
  EXPECT_FALSE(keep_latents(c));
  EXPECT_EQ(c.init, kInit);
}

TEST(Latents, ALayerWithABiasStays) {
  ClassText c = attention(kFused);
  c.init.back().replace(c.init.back().find("False"), 5, "True");
  EXPECT_FALSE(keep_latents(c));
}

TEST(Latents, WhatIsAddedToTheScoresIsNoMask) {
  std::string fused = kFused;
  fused.replace(fused.find("mask=mask"), 9, "mask=bias");
  ClassText c = attention(fused);
  EXPECT_FALSE(keep_latents(c));
}

}  // namespace
}  // namespace portwright::emit

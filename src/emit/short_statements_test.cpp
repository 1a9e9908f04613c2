#include "emit/short_statements.h"

#include <gmock/gmock.h>

namespace portwright::emit {
namespace {

using testing::ElementsAre;

Lines shortened(Lines lines) {
  return with_short_statements(
      {"x: mx.array", "mask=None", "cache=None"}, std::move(lines));
}

TEST(ShortStatements, GiveWhatLiesInsideTheNameOfTheWhole) {
  EXPECT_THAT(
      shortened(
          {"keys = self.k_norm(self.k_proj(x).reshape(B, L, -1, "
           "self.head_dim)).transpose(0, 2, 1, 3)",
           "return keys + x"}),
      ElementsAre(
          "keys = self.k_proj(x).reshape(B, L, -1, self.head_dim)",
          "keys = self.k_norm(keys).transpose(0, 2, 1, 3)",
          "return keys + x"));
}

TEST(ShortStatements, LeaveWhatFitsALine) {
  const Lines lines{"h = self.norm(self.mlp(x))", "return h + x"};
  EXPECT_EQ(shortened(lines), lines);
}

TEST(ShortStatements, TakeAnotherNameWhereTheWholeIsReadAside) {
  EXPECT_THAT(
      shortened(
          {"h = self.norm(x)",
           "h = h + self.post_feedforward_layernorm(self.feed_forward("
           "self.pre_feedforward_layernorm(h)))",
           "return h * h"}),
      ElementsAre(
          "h = self.norm(x)",
          "r = self.feed_forward(self.pre_feedforward_layernorm(h))",
          "h = h + self.post_feedforward_layernorm(r)",
          "return h * h"));
}

TEST(ShortStatements, TakeTheNameOfAVariableThatIsReadNoMore) {
  EXPECT_THAT(
      shortened(
          {"scores = self.gate(x)",
           "y = self.switch_mlp(x, inds)",
           "out = (y * (scores / scores.sum(axis=-1, keepdims=True))[..., "
           "None]).sum(axis=-2).astype(y.dtype)",
           "if self.shared:",
           "    out = out + x",
           "return out * 2"}),
      testing::IsSupersetOf(
          {"scores = scores / scores.sum(axis=-1, keepdims=True)",
           "out = (y * scores[..., None]).sum(axis=-2).astype(y.dtype)"}));
}

TEST(ShortStatements, KeepVariablesThatALoopReadsAgain) {
  EXPECT_THAT(
      shortened(
          {"scores = self.gate(x)",
           "for e in range(2):",
           "    out = (x * (scores / scores.sum(axis=-1, keepdims=True))[..., "
           "None]).sum(axis=-2).astype(x.dtype)",
           "return out * 2"}),
      testing::Contains("    y = scores / scores.sum(axis=-1, "
                        "keepdims=True)"));
}

TEST(ShortStatements, TakeWhatIsAddedIntoTheSum) {
  EXPECT_THAT(
      shortened(
          {"output = self.post_attention_layernorm(self.self_attn(self.input_"
           "layernorm(x), mask, cache))",
           "h = x + output",
           "output = self.mlp(h)",
           "return h + output"}),
      ElementsAre(
          "output = self.self_attn(self.input_layernorm(x), mask, cache)",
          "h = x + self.post_attention_layernorm(output)",
          "output = self.mlp(h)",
          "return h + output"));
}

TEST(ShortStatements, NameWhatIsOnlyMultipliedByWhatItIs) {
  EXPECT_THAT(
      shortened(
          {"out = self.output_projection(self.norm(x)) * "
           "mx.sigmoid(self.shared_expert_gate(x)[..., :1])",
           "return out + x"}),
      testing::IsSupersetOf(
          {"gate = mx.sigmoid(self.shared_expert_gate(x)[..., :1])",
           "out = self.output_projection(self.norm(x)) * gate"}));
}

TEST(ShortStatements, TakeNoWordOfPython) {
  EXPECT_THAT(
      shortened(
          {"return self.out_projection(nn.silu(self.in_proj(self.norm(x)))) + "
           "self.another_projection(x) * 2"}),
      ElementsAre(
          "r = self.out_projection(nn.silu(self.in_proj(self.norm(x))))",
          "return r + self.another_projection(x) * 2"));
}

TEST(ShortStatements, LeaveSizesInPlace) {
  const Lines lines{
      "keys = keys.reshape(keys.shape[0], keys.shape[1] * self.num_key_value_"
      "groups, keys.shape[2], -1)",
      "return keys + x"};
  EXPECT_EQ(shortened(lines), lines);
}

TEST(ShortStatements, ReturnAtOnceWhatIsOnlyReturned) {
  EXPECT_THAT(
      shortened({"h = self.norm(x)", "out = self.lm_head(h)", "return out"}),
      ElementsAre("h = self.norm(x)", "return self.lm_head(h)"));
}

TEST(ShortStatements, ReadAndWriteStatesInTheSameOrder) {
  const Lines lines{
      "h = self.first_convolution(x, cache) + self.second_convolution("
      "self.second_projection(x), cache) * 2",
      "return h + h"};
  for (const auto& line : shortened(lines)) {
    EXPECT_FALSE(line.starts_with("h = self.second")) << line;
  }
}

TEST(ShortStatements, LeaveWhatIsComputedOnOneSideOfAConditionAlone) {
  const Lines lines{
      "h = self.a_rather_long_projection(x) if self.uses_the_projection else "
      "self.another_long_projection(self.norm(x))",
      "return h + h"};
  EXPECT_EQ(shortened(lines), lines);
}

TEST(ShortStatements, CallWhatLiesInsideASumByTheNameOfTheSum) {
  EXPECT_THAT(
      shortened(
          {"output = self.self_attn(mx.fast.rms_norm(x, None, "
           "self.rms_norm_epsilon), mask, cache)",
           "h = x + output",
           "return h + self.mlp(h)"}),
      ElementsAre(
          "h = mx.fast.rms_norm(x, None, self.rms_norm_epsilon)",
          "h = x + self.self_attn(h, mask, cache)",
          "return h + self.mlp(h)"));
}

}  // namespace
}  // namespace portwright::emit

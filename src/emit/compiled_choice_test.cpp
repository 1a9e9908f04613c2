#include "emit/compiled_choice.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace portwright::emit {
namespace {

using testing::ElementsAre;

ClassText router() {
  ClassText c;
  c.init = {
      "self.groups = args.n_group",
      "self.each = args.n_experts // args.n_group",
      "self.best = args.topk_group",
      "self.k = args.k",
      "self.weight = mx.zeros((args.n_experts, args.hidden_size))",
      "self.bias = mx.zeros((args.n_experts,))"};
  c.call_params = {"x: mx.array"};
  c.call = {
      "gates = x @ self.weight.T",
      "s = gates + self.bias",
      "grouped = mx.unflatten(s, -1, (self.groups, self.each))",
      "ranks = grouped.max(axis=-1)",
      "idx = mx.argpartition(-ranks, kth=self.best - 1, axis=-1)[..., "
      "self.best:]",
      "s = mx.put_along_axis(grouped, idx[..., None], mx.array(0.0), "
      "axis=-2).reshape(s.shape)",
      "inds = mx.argpartition(-s, kth=self.k - 1, axis=-1)[..., :self.k]",
      "return mx.take_along_axis(s, inds, axis=-1), inds"};
  return c;
}

TEST(CompiledChoice, ScoresToChosenExpertsAreAFunctionThatIsCompiled) {
  ClassText c = router();
  ChoiceFunctions functions;
  EXPECT_EQ(
      compile_choice(c, functions),
      "@mx.compile\n"
      "def group_expert_select(gates, bias, best, groups, each, k):\n"
      "    s = gates + bias\n"
      "    if best < groups:\n"
      "        grouped = mx.unflatten(s, -1, (groups, each))\n"
      "        ranks = grouped.max(axis=-1)\n"
      "        idx = mx.argpartition(-ranks, kth=best - 1, axis=-1)[..., "
      "best:]\n"
      "        s = mx.put_along_axis(grouped, idx[..., None], mx.array(0.0), "
      "axis=-2).reshape(s.shape)\n"
      "    inds = mx.argpartition(-s, kth=k - 1, axis=-1)[..., :k]\n"
      "    return mx.take_along_axis(s, inds, axis=-1), inds\n\n\n");
  EXPECT_THAT(
      c.call,
      ElementsAre(
          "gates = x @ self.weight.T",
          "return group_expert_select(gates, self.bias, self.best, "
          "self.groups, self.each, self.k)"));
}

TEST(CompiledChoice, TwoClassesShareAFunction) {
  ClassText one = router(), two = router();
  ChoiceFunctions functions;
  compile_choice(one, functions);
  EXPECT_EQ(compile_choice(two, functions), "");
  EXPECT_EQ(one.call, two.call);
}

TEST(CompiledChoice, GroupsWhoseRanksAreReadAgainAreAlwaysRanked) {
  ClassText c = router();
  c.call.back() = "return mx.take_along_axis(s, inds, axis=-1), inds, ranks";
  ChoiceFunctions functions;
  EXPECT_EQ(compile_choice(c, functions).find("if "), std::string::npos);
}

TEST(CompiledChoice, LayersAndCachesAreNotCompiled) {
  for (const char* line : {"s = self.gate(s)", "s = s + cache.offset"}) {
    ClassText c = router();
    c.call_params.push_back("cache: Optional[Any] = None");
    c.init.push_back("self.gate = nn.Linear(1, 1)");
    c.call.insert(c.call.begin() + 6, line);
    ChoiceFunctions functions;
    EXPECT_EQ(compile_choice(c, functions).find("gate("), std::string::npos);
    EXPECT_NE(std::find(c.call.begin(), c.call.end(), line), c.call.end());
  }
}

}  // namespace
}  // namespace portwright::emit

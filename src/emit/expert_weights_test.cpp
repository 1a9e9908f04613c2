#include "emit/expert_weights.h"

#include <gtest/gtest.h>

namespace portwright::emit {
namespace {

KeyRule merging(const std::string& source, const std::string& target) {
  KeyRule out;
  out.converts = true;
  out.sources = {source};
  out.targets = {target};
  out.operations = {"MergeModulelist"};
  return out;
}

TEST(SplitRenaming, MovesWhatTheModulesLieIn) {
  KeyRule rule = merging("sparse.experts.*.w2.weight", "mlp.experts.down_proj");
  const auto moved = split_renaming(rule);
  ASSERT_TRUE(moved);
  EXPECT_FALSE(moved->converts);
  EXPECT_EQ(moved->sources.front(), ".sparse.experts.");
  EXPECT_EQ(moved->targets.front(), ".mlp.experts.");
  EXPECT_EQ(rule.sources.front(), "mlp.experts.*.w2.weight");
}

TEST(SplitRenaming, LeavesModulesThatStay) {
  KeyRule rule = merging("mlp.experts.*.w2.weight", "mlp.experts.down_proj");
  EXPECT_FALSE(split_renaming(rule));
}

TEST(SplitRenaming, LeavesModulesOfAnotherName) {
  KeyRule rule = merging("moe.parts.*.w2.weight", "mlp.experts.down_proj");
  EXPECT_FALSE(split_renaming(rule));
}

}  // namespace
}  // namespace portwright::emit

#include "verify/check.h"

#include <gtest/gtest.h>

#include <set>

namespace portwright::verify {
namespace {

Difference of(double relative) {
  Difference out;
  out.relative = relative;
  return out;
}

TEST(Judge, PassesWarnsAndFails) {
  auto result = passed();
  EXPECT_TRUE(judge(result, of(1e-6), 1e-5, "logits"));
  EXPECT_EQ(result.status, Status::Pass);
  EXPECT_TRUE(judge(result, of(5e-5), 1e-5, "logits"));
  EXPECT_EQ(result.status, Status::Warn);
  EXPECT_EQ(
      result.reason,
      "logits differ by 5.0e-05: below 1.0e-04, yet above the noise of float32 "
      "(1.0e-05)");
  EXPECT_FALSE(judge(result, of(2e-3), 1e-5, "steps"));
  EXPECT_EQ(result.status, Status::Fail);
  EXPECT_EQ(result.reason, "steps differ by 2.0e-03 (allowed: 1.0e-05)");
  EXPECT_TRUE(judge(result, of(0), 1e-5, "logits"));
  EXPECT_EQ(result.status, Status::Fail) << "a later pass heals nothing";
  EXPECT_DOUBLE_EQ(*result.value, 2e-3);
}

TEST(Judge, NotANumberFails) {
  auto result = passed();
  EXPECT_FALSE(judge(result, of(std::nan("")), 1e-5, "logits"));
  EXPECT_EQ(result.status, Status::Fail);
}

TEST(Judge, OtherShapesFailWithBothNamed) {
  auto result = passed();
  EXPECT_FALSE(judge(
      result, Array{{1, 2}, {1, 2}}, Array{{1, 3}, {1, 2, 3}}, 1e-5, "logits"));
  EXPECT_EQ(
      result.reason, "logits: the port gives (1, 2), the reference (1, 3)");
}

TEST(Threshold, FollowsNoiseAndIsNeverAboveTheLimit) {
  EXPECT_DOUBLE_EQ(threshold_for(1e-6), 32e-6);
  EXPECT_DOUBLE_EQ(threshold_for(0.5), 1e-4);
  EXPECT_GT(threshold_for(0), 0);
}

TEST(Checks, HaveNamesOfTheirOwn) {
  std::set<std::string_view> names;
  for (const auto& check : all_checks()) {
    EXPECT_TRUE(names.insert(check.name).second) << check.name;
    EXPECT_FALSE(check.about.empty());
    EXPECT_TRUE(check.run);
  }
}

TEST(Verdict, IsTheWorstOfTheChecks) {
  Results results;
  EXPECT_EQ(results.verdict(), Status::Untrusted) << "nothing ran";
  results.checks = {passed(), skipped("why")};
  EXPECT_EQ(results.verdict(), Status::Pass);
  results.checks.push_back(warned("why"));
  EXPECT_EQ(results.verdict(), Status::Warn);
  results.checks.push_back(failed("why"));
  EXPECT_EQ(results.verdict(), Status::Fail);
  results.checks = {skipped("why")};
  EXPECT_EQ(results.verdict(), Status::Untrusted);
}

TEST(Layers, AreTheNumberedSiblingsWithMostBelow) {
  ModuleSources modules;
  for (const char* path :
       {"model",
        "model.layers",
        "model.layers.0",
        "model.layers.0.mlp.experts.0",
        "model.layers.0.mlp.experts.1",
        "model.layers.1",
        "model.layers.1.mlp",
        "model.norms.0",
        "model.norms.1"}) {
    modules[path];
  }
  EXPECT_EQ(
      find_layers(modules, 2),
      (std::vector<std::string>{"model.layers.0", "model.layers.1"}));
  EXPECT_TRUE(find_layers(modules, 3).empty());
  EXPECT_TRUE(find_layers(modules, 0).empty());
}

TEST(Plan, PromptsPassTheWindow) {
  const auto plan = make_plan(
      {{"vocab_size", 288},
       {"text_config", {{"sliding_window", 9}}},
       {"max_window_layers", 3},
       {"max_position_embeddings", 64}});
  EXPECT_EQ(plan.window, 9);
  EXPECT_GT(plan.prefill, 2 * plan.window);
  EXPECT_EQ(plan.far.size(), 64u);
  for (const int id : plan.ids) {
    EXPECT_TRUE(id >= 0 && id < 256);
  }
  const auto large =
      make_plan({{"vocab_size", 32000}, {"sliding_window", 4096}});
  EXPECT_EQ(large.window, 0);
  EXPECT_EQ(large.unreached_window, 4096);
}

TEST(Plan, APromptWithTiesIsExchangedAlone) {
  const auto plan = make_plan({{"vocab_size", 288}});
  const auto other = make_plan({{"vocab_size", 288}}, {}, {1, 0, 0});
  EXPECT_NE(other.ids, plan.ids);
  EXPECT_EQ(other.ids.size(), plan.ids.size());
  EXPECT_EQ(other.batch, plan.batch);
  EXPECT_EQ(other.batch_steps, plan.batch_steps);
  EXPECT_EQ(other.far, plan.far);
}

TEST(Plan, TheCachesOfThePortTellAWindowOfAnyName) {
  EXPECT_EQ(make_plan({{"near", 9}}).window, 0);
  EXPECT_EQ(make_plan({{"near", 9}}, {9}).window, 9);
  EXPECT_EQ(make_plan({{"near", 4096}}, {4096}).unreached_window, 4096);
}

}  // namespace
}  // namespace portwright::verify

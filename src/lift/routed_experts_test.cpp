#include "lift/routed_experts.h"

#include <gtest/gtest.h>

#include "torch/torch.h"
#include "trace/recorder.h"
#include "trace/twin.h"

namespace portwright::lift {
namespace {

using eval::Value;

/// Records a block that routes seven rows (hidden size 6) to two of four
/// experts each, modules of a list, and lifts what it does with them.
class RoutedExpertsTest : public ::testing::Test {
 protected:
  RoutedExpertsTest() {
    torch::install_torch(interp_);
  }

  /// `body` computes `out` from the rows `x`, `chosen` and `weights`, (7, 2).
  std::vector<GroupedExperts> lift(
      const std::string& body,
      const std::string& modules = "Expert() for _ in range(4)",
      int routes = 4) {
    const std::string source =
        "import torch\n"
        "from torch import nn\n"
        "import torch.nn.functional as F\n\n"
        "class Expert(nn.Module):\n"
        "    def __init__(self):\n"
        "        super().__init__()\n"
        "        self.w1 = nn.Linear(6, 5, bias=False)\n"
        "        self.w2 = nn.Linear(5, 6, bias=False)\n"
        "        self.w3 = nn.Linear(6, 5, bias=False)\n"
        "    def forward(self, x):\n"
        "        return self.w2(F.silu(self.w1(x)) * self.w3(x))\n\n"
        "class Block(nn.Module):\n"
        "    def __init__(self):\n"
        "        super().__init__()\n"
        "        self.experts = nn.ModuleList([" +
        modules +
        "])\n"
        "    def forward(self, x, scores):\n"
        "        weights, chosen = torch.topk(scores, 2, dim=-1)\n"
        "        weights = weights / weights.sum(-1, keepdim=True)\n"
        "        out = torch.zeros_like(x)\n" +
        body + "        return out * 2\n\nmodule = Block()\n";
    const auto module = interp_.run_source(
        "routed" + std::to_string(++count_), "routed.py", source);
    const Value model = interp_.getattr(Value(module), "module");
    trace::Recorder recorder(interp_);
    recorder.built(model);
    interp_.call(
        model,
        {Value(torch::make_tensor(
             interp_, mx::random::normal({7, 6}, mx::random::key(3)))),
         Value(torch::make_tensor(
             interp_, mx::random::uniform({7, routes}, mx::random::key(4))))});
    trace_ = recorder.finish();
    const Frame& forward = *trace::first_module(trace_->root);
    return lift_routed_experts(interp_, *trace_, make_graph(*trace_, forward));
  }

  eval::Interpreter interp_;
  std::unique_ptr<Trace> trace_;
  int count_ = 0;
};

std::string looped(
    const std::string& answer,
    const std::string& weight = "weights[rows, k, None]") {
  return "        mask = F.one_hot(chosen, num_classes=4).permute(2, 1, 0)\n"
         "        for e in (mask.sum(dim=(-1, -2)) > 0).nonzero():\n"
         "            k, rows = torch.where(mask[e].squeeze(0))\n"
         "            y = " +
         answer + " * " + weight +
         "\n"
         "            out.index_add_(0, rows, y)\n";
}

TEST_F(RoutedExpertsTest, KnowsALoopOverModules) {
  const auto found =
      lift(looped("self.experts[e](x[None, rows].reshape(-1, 6))"));
  ASSERT_EQ(found.size(), 1);
  const Experts& e = found[0].experts;
  EXPECT_EQ(e.list(), "experts");
  EXPECT_EQ(e.experts, 4);
  EXPECT_EQ(e.first[0].weight, "experts.*.w1.weight");
  EXPECT_EQ(e.last.weight, "experts.*.w2.weight");
  EXPECT_EQ(e.activation, Experts::Activation::Swiglu);
  EXPECT_EQ(e.identities, 0);
  EXPECT_FALSE(found[0].inside.empty());
}

TEST_F(RoutedExpertsTest, KnowsAnExpertThatNothingChose) {
  const auto found = lift(
      "        mask = F.one_hot(chosen + 1, num_classes=6).permute(2, 0, 1)\n"
      "        for e in range(5):\n"
      "            rows, k = torch.where(mask[e])\n"
      "            y = self.experts[e](x[rows]) * weights[rows, k, None]\n"
      "            out.index_add_(0, rows, y)\n",
      "Expert() for _ in range(6)");
  ASSERT_EQ(found.size(), 1);
  EXPECT_EQ(found[0].experts.experts, 6);
}

TEST_F(RoutedExpertsTest, KnowsRowsSortedByExpertAndStoredBack) {
  const auto found =
      lift("        order = chosen.view(-1).argsort()\n"
           "        rows = x[order // 2]\n"
           "        counts = torch.zeros(7, 4).scatter(1, chosen, 1).sum(0)\n"
           "        parts, start = [], 0\n"
           "        for e, count in enumerate(counts.long().tolist()):\n"
           "            if count:\n"
           "                part = rows[start : start + count]\n"
           "                parts.append(self.experts[e](part))\n"
           "            start = start + count\n"
           "        parts = torch.cat(parts, dim=0)\n"
           "        back = torch.empty_like(parts)\n"
           "        back[order] = parts\n"
           "        back = back.view(7, 2, -1) * weights.unsqueeze(-1)\n"
           "        out = back.sum(dim=1)\n");
  ASSERT_EQ(found.size(), 1);
  EXPECT_EQ(found[0].experts.experts, 4);
}

TEST_F(RoutedExpertsTest, KnowsWeightsOfAllExperts) {
  const auto found = lift(
      "        weights = torch.zeros(7, 4).scatter(1, chosen, weights)\n" +
      looped("self.experts[e](x[rows])", "weights[rows, e, None]"));
  ASSERT_EQ(found.size(), 1);
  EXPECT_TRUE(found[0].experts.weighs_all);
}

TEST_F(RoutedExpertsTest, KnowsIndicesThatPassTheirInput) {
  const auto found = lift(
      "        mask = F.one_hot(chosen, num_classes=6).permute(2, 0, 1)\n"
      "        for e in range(6):\n"
      "            rows, k = torch.where(mask[e])\n"
      "            if rows.numel() > 0:\n"
      "                y = self.experts[e](x[rows]) * weights[rows, k, None]\n"
      "                out.index_add_(0, rows, y)\n",
      "*[Expert() for _ in range(4)], nn.Identity(), nn.Identity()",
      6);
  ASSERT_EQ(found.size(), 1);
  EXPECT_EQ(found[0].experts.experts, 4);
  EXPECT_EQ(found[0].experts.identities, 2);
}

TEST_F(RoutedExpertsTest, RefusesOtherSums) {
  EXPECT_TRUE(lift(looped("self.experts[e](x[rows]) ** 2")).empty());
  EXPECT_TRUE(lift(looped("self.experts[e](x[rows - 1])")).empty());
  EXPECT_TRUE(lift(looped("self.experts[3 - e[0]](x[rows])")).empty());
}

TEST_F(RoutedExpertsTest, RefusesWhatOnlyOneExpertDoes) {
  EXPECT_TRUE(
      lift(looped("self.experts[e](x[rows]) * (1 + (e[0] == 2).float())"))
          .empty());
}

}  // namespace
}  // namespace portwright::lift

#include "lift/grouped_experts.h"

#include <gtest/gtest.h>

#include "lift/proof.h"
#include "torch/torch.h"
#include "trace/recorder.h"
#include "trace/twin.h"

namespace portwright::lift {
namespace {

using eval::Value;

/// Records experts (four of them, hidden size 6) on seven rows, two choices
/// each, whose rows are sorted by expert, and lifts them.
class GroupedExpertsTest : public ::testing::Test {
 protected:
  GroupedExpertsTest() {
    torch::install_torch(interp_);
  }

  /// `body` computes `out` from the rows `x`, the indices of experts `index`,
  /// `order`, `token`, `weight` by choice, and `sizes`; `linear(x, w)` is by
  /// expert.
  std::vector<GroupedExperts> lift(
      const std::string& body,
      const std::string& part = "w[i]") {
    const std::string source =
        "import torch\n"
        "from torch import nn\n"
        "import torch.nn.functional as F\n\n"
        "class Experts(nn.Module):\n"
        "    def __init__(self):\n"
        "        super().__init__()\n"
        "        self.w1 = nn.Parameter(torch.ones(4, 10, 6))\n"
        "        self.w2 = nn.Parameter(torch.ones(4, 6, 5))\n"
        "        self.q = nn.Parameter(torch.ones(4, 6, 6))\n"
        "    def forward(self, x, index, weights):\n"
        "        ones = torch.zeros([7, 4]).scatter(1, index, 1)\n"
        "        sizes = ones.long().sum(0).tolist()\n"
        "        _, order = index.flatten().sort(0)\n"
        "        token = order.div(2, rounding_mode='trunc')\n"
        "        weight = weights.flatten()[order]\n"
        "        def linear(x, w):\n"
        "            parts = x.split(sizes, dim=0)\n"
        "            return torch.cat([F.linear(parts[i], " +
        part + ") for i in range(4)], dim=0)\n" + body +
        "        return out\n\nmodule = Experts()\n";
    const auto module = interp_.run_source(
        "grouped" + std::to_string(++count_), "grouped.py", source);
    const Value model = interp_.getattr(Value(module), "module");
    trace_ = record(model, mx::float32);
    interp_.call_method(model, "bfloat16");
    const auto half = trace::match(*trace_, record(model, mx::bfloat16));
    interp_.call_method(model, "float");
    const Frame& forward = *trace::first_module(trace_->root);
    return lift_grouped_experts(
        interp_, *trace_, make_graph(*trace_, forward), &half);
  }

  std::unique_ptr<Trace> record(const Value& model, mx::Dtype dtype) {
    trace::Recorder recorder(interp_);
    recorder.built(model);
    const auto index = mx::remainder(
        mx::reshape(mx::arange(14, mx::int64), {7, 2}), mx::array(int64_t(4)));
    interp_.call(
        model,
        {Value(torch::make_tensor(interp_, mx::full({7, 6}, 0.5f, dtype))),
         Value(torch::make_tensor(interp_, index)),
         Value(torch::make_tensor(interp_, mx::full({7, 2}, 0.25f, dtype)))});
    return recorder.finish();
  }

  eval::Interpreter interp_;
  std::unique_ptr<Trace> trace_;
  int count_ = 0;
};

constexpr const char* kGated =
    "        gate, up = linear(x[token], self.w1).chunk(2, dim=-1)\n"
    "        y = linear(F.silu(gate) * up, self.w2) * weight[:, None]\n"
    "        out = torch.zeros((7, 6), dtype=x.dtype).index_add(0, token, y)\n";

TEST_F(GroupedExpertsTest, KnowsGatedExpertsSummedByToken) {
  const auto found = lift(kGated);
  ASSERT_EQ(found.size(), 1);
  EXPECT_TRUE(found[0].sums);
  EXPECT_FALSE(found[0].each_choice);
  EXPECT_FALSE(found[0].is_single());
  EXPECT_EQ(found[0].experts.activation, Experts::Activation::Swiglu);
  EXPECT_EQ(found[0].experts.first[0].weight, "w1");
  EXPECT_EQ(found[0].experts.experts, 4);
}

TEST_F(GroupedExpertsTest, KnowsASingleProductByChoice) {
  const auto found = lift("        y = linear(x[token], self.q)\n"
                          "        out = torch.zeros((14, 6), "
                          "dtype=x.dtype).index_add(0, order, y)\n");
  ASSERT_EQ(found.size(), 1);
  EXPECT_TRUE(found[0].is_single());
  EXPECT_FALSE(found[0].sums);
  EXPECT_EQ(found[0].weights, 0);
  EXPECT_EQ(found[0].experts.last.weight, "q");
}

TEST_F(GroupedExpertsTest, KnowsRowsOfChoicesSummedByToken) {
  const auto found =
      lift("        rows = torch.cat((x, 2 * x), dim=0)\n"
           "        y = linear(rows[order], self.q) * weight[:, None]\n"
           "        out = torch.zeros((7, 6), dtype=x.dtype).index_add(0, "
           "token, y)\n");
  ASSERT_EQ(found.size(), 1);
  EXPECT_TRUE(found[0].each_choice);
  EXPECT_TRUE(found[0].sums);
}

TEST_F(GroupedExpertsTest, RefusesAnotherExpertsWeights) {
  EXPECT_TRUE(lift(kGated, "w[3 - i]").empty());
}

TEST_F(GroupedExpertsTest, RefusesWeightsThatAreNotAFactor) {
  EXPECT_TRUE(
      lift("        y = linear(x[token], self.q) * weight[:, None] ** 2\n"
           "        out = torch.zeros((7, 6), dtype=x.dtype).index_add(0, "
           "token, y)\n")
          .empty());
}

}  // namespace
}  // namespace portwright::lift

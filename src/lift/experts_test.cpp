#include "lift/experts.h"

#include <gtest/gtest.h>

#include "lift/proof.h"
#include "torch/torch.h"
#include "trace/recorder.h"
#include "trace/twin.h"

namespace portwright::lift {
namespace {

using eval::Value;

/// Records experts (four of them, hidden size 6, intermediate size 5) on seven
/// rows with two choices each, and lifts them.
class ExpertsTest : public ::testing::Test {
 protected:
  ExpertsTest() {
    torch::install_torch(interp_);
  }

  /// `body` computes `y` from the rows `x` of expert `e`.
  std::optional<Experts> lift(
      const std::string& parameters,
      const std::string& body,
      const std::string& scaled = "y * weight[token, k, None]",
      const std::string& classes = "4") {
    const std::string source =
        "import torch\n"
        "from torch import nn\n"
        "import torch.nn.functional as F\n\n"
        "class Experts(nn.Module):\n"
        "    def __init__(self):\n"
        "        super().__init__()\n" +
        parameters +
        "    def forward(self, states, index, weight):\n"
        "        out = torch.zeros_like(states)\n"
        "        mask = F.one_hot(index, num_classes=" +
        classes +
        ").permute(2, 1, 0)\n"
        "        for e in (mask.sum(dim=(-1, -2)) > 0).nonzero():\n"
        "            e = e[0]\n"
        "            k, token = torch.where(mask[e])\n"
        "            x = states[token]\n" +
        body + "            out.index_add_(0, token, " + scaled +
        ")\n"
        "        return out\n\nmodule = Experts()\n";
    trace::Recorder recorder(interp_);
    const auto module = interp_.run_source(
        "experts" + std::to_string(++count_), "experts.py", source);
    const Value model = interp_.getattr(Value(module), "module");
    recorder.built(model);
    const auto index = mx::remainder(
        mx::reshape(mx::arange(14, mx::int64), {7, 2}), mx::array(int64_t(4)));
    interp_.call(
        model,
        {Value(torch::make_tensor(interp_, mx::full({7, 6}, 0.5f))),
         Value(torch::make_tensor(interp_, index)),
         Value(torch::make_tensor(interp_, mx::full({7, 2}, 0.25f)))});
    trace_ = recorder.finish();
    const Frame* forward = trace::first_module(trace_->root);
    return lift_experts(interp_, *trace_, *forward);
  }

  eval::Interpreter interp_;
  std::unique_ptr<Trace> trace_;
  int count_ = 0;
};

constexpr const char* kFused =
    "        self.both = nn.Parameter(torch.ones(4, 10, 6))\n"
    "        self.down = nn.Parameter(torch.ones(4, 6, 5))\n";

TEST_F(ExpertsTest, KnowsHalvesGatedBySilu) {
  const auto e = lift(
      kFused,
      "            gate, up = F.linear(x, self.both[e]).chunk(2, dim=-1)\n"
      "            y = F.linear(F.silu(gate) * up, self.down[e])\n");
  ASSERT_TRUE(e);
  EXPECT_EQ(e->gating, Experts::Gating::Halves);
  EXPECT_EQ(e->activation, Experts::Activation::Swiglu);
  EXPECT_FALSE(e->ups_first);
  EXPECT_EQ(e->first[0].weight, "both");
  EXPECT_FALSE(e->first[0].transposed);
}

TEST_F(ExpertsTest, TellsTheGateFromTheOtherHalf) {
  const auto e = lift(
      kFused,
      "            up, gate = F.linear(x, self.both[e]).chunk(2, dim=-1)\n"
      "            y = F.linear(F.silu(gate) * up, self.down[e])\n");
  ASSERT_TRUE(e);
  EXPECT_EQ(e->activation, Experts::Activation::Swiglu);
  EXPECT_TRUE(e->ups_first);
}

TEST_F(ExpertsTest, SeesAClampThatSmallValuesHide) {
  const auto e = lift(
      kFused,
      "            gate, up = F.linear(x, self.both[e]).chunk(2, dim=-1)\n"
      "            y = F.linear(F.silu(gate.clamp(max=200.0)) * up, "
      "self.down[e])\n");
  ASSERT_TRUE(e);
  EXPECT_EQ(e->activation, Experts::Activation::Other);
}

TEST_F(ExpertsTest, KnowsInterleavedTransposedPartsWithBiases) {
  const auto e = lift(
      "        self.both = nn.Parameter(torch.ones(4, 6, 10))\n"
      "        self.both_bias = nn.Parameter(torch.ones(4, 10))\n"
      "        self.down = nn.Parameter(torch.ones(4, 5, 6))\n"
      "        self.down_bias = nn.Parameter(torch.ones(4, 6))\n",
      "            both = x @ self.both[e] + self.both_bias[e]\n"
      "            gate, up = both[..., ::2], both[..., 1::2]\n"
      "            gate = gate.clamp(max=7.0)\n"
      "            up = up.clamp(min=-7.0, max=7.0)\n"
      "            y = (up + 1) * (gate * torch.sigmoid(gate * 1.702))\n"
      "            y = y @ self.down[e] + self.down_bias[e]\n");
  ASSERT_TRUE(e);
  EXPECT_EQ(e->gating, Experts::Gating::Interleaved);
  EXPECT_EQ(e->activation, Experts::Activation::SwigluOai);
  EXPECT_TRUE(e->first[0].transposed);
  EXPECT_TRUE(e->last.transposed);
  EXPECT_EQ(e->first[0].bias, "both_bias");
  EXPECT_EQ(e->last.bias, "down_bias");
  EXPECT_DOUBLE_EQ(e->alpha.as_double(), 1.702);
  EXPECT_DOUBLE_EQ(e->limit.as_double(), 7.0);
}

TEST_F(ExpertsTest, KnowsExpertsWithoutGates) {
  const auto e = lift(
      "        self.up = nn.Parameter(torch.ones(4, 5, 6))\n"
      "        self.down = nn.Parameter(torch.ones(4, 6, 5))\n",
      "            y = F.relu(F.linear(x, self.up[e])) ** 2\n"
      "            y = F.linear(y, self.down[e])\n");
  ASSERT_TRUE(e);
  EXPECT_EQ(e->gating, Experts::Gating::None);
  EXPECT_EQ(e->activation, Experts::Activation::Relu2);
}

TEST_F(ExpertsTest, KnowsRowsOfAllExpertsInOneMatrix) {
  const auto e = lift(
      "        self.w1 = nn.Parameter(torch.ones(20, 6))\n"
      "        self.v1 = nn.Parameter(torch.ones(20, 6))\n"
      "        self.w2 = nn.Parameter(torch.ones(20, 6))\n",
      "            w1, v1, w2 = (w.view(4, 5, 6)[e] for w in (self.w1, "
      "self.v1, "
      "self.w2))\n"
      "            y = (F.silu(x @ w1.T) * (x @ v1.T)) @ w2\n");
  ASSERT_TRUE(e);
  EXPECT_EQ(e->gating, Experts::Gating::Separate);
  EXPECT_TRUE(e->first[0].flat);
  EXPECT_FALSE(e->first[0].transposed);
  EXPECT_TRUE(e->last.transposed);
}

/// Four experts in three that compute and one index past them.
constexpr const char* kSpareRows =
    "        self.both = nn.Parameter(torch.ones(4, 10, 6))\n"
    "        self.down = nn.Parameter(torch.ones(3, 6, 5))\n";

TEST_F(ExpertsTest, KnowsIndicesThatPassTheirInput) {
  const auto e = lift(
      kSpareRows,
      "            if e < 3:\n"
      "                gate, up = F.linear(x, self.both[e]).chunk(2, dim=-1)\n"
      "                y = F.linear(F.silu(gate) * up, self.down[e])\n"
      "            else:\n"
      "                y = x\n");
  ASSERT_TRUE(e);
  EXPECT_EQ(e->experts, 3);
  EXPECT_EQ(e->identities, 1);
  EXPECT_EQ(e->first[0].sizes[0], 4);
}

TEST_F(ExpertsTest, TellsIndicesThatAreSkipped) {
  const auto e = lift(
      "        self.both = nn.Parameter(torch.ones(3, 10, 6))\n"
      "        self.down = nn.Parameter(torch.ones(3, 6, 5))\n",
      "            if e == 3:\n"
      "                continue\n"
      "            gate, up = F.linear(x, self.both[e]).chunk(2, dim=-1)\n"
      "            y = F.linear(F.silu(gate) * up, self.down[e])\n");
  ASSERT_TRUE(e);
  EXPECT_EQ(e->experts, 3);
  EXPECT_EQ(e->identities, 0);
}

TEST_F(ExpertsTest, LeavesOutIndicesThatTheSourceCannotTake) {
  const auto e = lift(
      kFused,
      "            gate, up = F.linear(x, self.both[e]).chunk(2, dim=-1)\n"
      "            y = F.linear(F.silu(gate) * up, self.down[e])\n",
      "y * weight[token, k, None]",
      "5");
  ASSERT_TRUE(e);
  EXPECT_EQ(e->identities, 0);
}

TEST_F(ExpertsTest, RefusesIndicesThatComputeSomethingElse) {
  EXPECT_FALSE(lift(
      kSpareRows,
      "            if e < 3:\n"
      "                gate, up = F.linear(x, self.both[e]).chunk(2, "
      "dim=-1)\n"
      "                y = F.linear(F.silu(gate) * up, self.down[e])\n"
      "            else:\n"
      "                y = 2 * x\n"));
}

TEST_F(ExpertsTest, RefusesWeightsThatAreNotAFactor) {
  EXPECT_FALSE(lift(
      kFused,
      "            gate, up = F.linear(x, self.both[e]).chunk(2, dim=-1)\n"
      "            y = F.linear(F.silu(gate) * up, self.down[e])\n",
      "y * weight[token, k, None] ** 2"));
}

}  // namespace
}  // namespace portwright::lift

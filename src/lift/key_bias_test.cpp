#include "lift/key_bias.h"

#include <gtest/gtest.h>

#include "lift/proof.h"
#include "torch/torch.h"
#include "trace/recorder.h"
#include "trace/twin.h"

namespace portwright::lift {
namespace {

using eval::Value;

/// Records a forward of scores (2, 3, 1, 5) and an attention mask (2, 5) and
/// looks at what it adds to the scores.
class KeyBiasTest : public ::testing::Test {
 protected:
  KeyBiasTest() {
    torch::install_torch(interp_);
  }

  std::optional<KeyBias> lift(const std::string& body) {
    const std::string source = "import torch\n"
                               "from torch import nn\n\n"
                               "class Biased(nn.Module):\n"
                               "    def forward(self, scores, mask):\n"
                               "        slopes = 2.0 ** torch.arange(3)\n" +
                               body +
                               "        return scores + bias\n"
                               "\nmodule = Biased()\n";
    trace::Recorder recorder(interp_);
    const auto module = interp_.run_source(
        "biased" + std::to_string(++count_), "biased.py", source);
    const Value model = interp_.getattr(Value(module), "module");
    recorder.built(model);
    const mx::array scores = mx::zeros({2, 3, 1, 5});
    const mx::array left_padded = mx::astype(
        mx::array({0, 1, 1, 1, 1, 1, 1, 1, 1, 1}, {2, 5}), mx::int64);
    std::vector<Value> inputs;
    inputs.emplace_back(torch::make_tensor(interp_, scores));
    inputs.emplace_back(torch::make_tensor(interp_, left_padded));
    interp_.call(model, std::move(inputs));
    trace_ = recorder.finish();
    const Frame* forward = trace::first_module(trace_->root);
    const Flows flows(*trace_, forward->inputs.at(0), 0, forward->inputs.at(1));
    const auto& sum = *trace_->info(forward->outputs.front()).producer;
    return lift_key_bias(interp_, *trace_, flows, sum.inputs.at(1));
  }

  eval::Interpreter interp_;
  std::unique_ptr<Trace> trace_;
  int count_ = 0;
};

TEST_F(KeyBiasTest, CountsKeysByTheMask) {
  const auto bias =
      lift("        places = (mask.cumsum(-1) - 1) * mask\n"
           "        bias = slopes[:, None, None] * places[:, None, None, :]\n");
  ASSERT_TRUE(bias);
  EXPECT_FALSE(bias->by_distance);
  EXPECT_EQ(trace_->info(bias->slopes).shape, (torch::Sizes{3}));
}

TEST_F(KeyBiasTest, CountsKeysFromTheLastOne) {
  EXPECT_TRUE(lift(
      "        places = torch.arange(1 - mask.shape[-1], 1)\n"
      "        bias = places.view(1, 1, 1, -1) * slopes.view(1, 3, 1, 1)\n"));
}

TEST_F(KeyBiasTest, MeasuresDistancesFromEachQuery) {
  const std::string distance = "        places = torch.arange(mask.shape[-1])\n"
                               "        back = places[2:, None] - places\n";
  const std::string bias = "        bias = -slopes[:, None, None] * ";
  const auto found = lift(distance + bias + "back.clamp(min=0)\n");
  ASSERT_TRUE(found);
  EXPECT_TRUE(found->by_distance);
  EXPECT_FALSE(lift(distance + bias + "back.abs() ** 2\n"));
  EXPECT_FALSE(lift(distance + bias + "(back * back[:, :1])\n"));
}

TEST_F(KeyBiasTest, MayHideWhatAMaskHides) {
  const std::string falling =
      "        places = torch.arange(mask.shape[-1])\n"
      "        back = places[2:, None] - places\n"
      "        bias = -slopes[:, None, None] * back.abs()\n";
  const std::string later =
      "        bias = bias.masked_fill(back < 0, float('-inf'))\n";
  const std::string padding = "        bias = bias[None].masked_fill(mask[:, "
                              "None, None] == 0, -1e30)\n";
  EXPECT_FALSE(lift(falling + later)->masks);
  EXPECT_FALSE(lift(falling + padding)->masks);
  EXPECT_TRUE(lift(falling + later + padding)->masks);
}

TEST_F(KeyBiasTest, NothingIsNoBias) {
  EXPECT_FALSE(lift("        none = torch.zeros(3)\n"
                    "        bias = none[:, None, None] * slopes.sum()\n"
                    "        bias = bias.expand(3, 1, 5)\n"));
}

TEST_F(KeyBiasTest, ACurveIsNoSuchBias) {
  EXPECT_FALSE(lift(
      "        places = torch.arange(mask.shape[-1]) ** 2\n"
      "        bias = places.view(1, 1, 1, -1) * slopes.view(1, 3, 1, 1)\n"));
}

TEST_F(KeyBiasTest, SlopesThatNoConstantHoldsAreNotFound) {
  EXPECT_FALSE(lift("        places = (slopes.view(1, 3, 1, 1) + 1) * "
                    "torch.arange(mask.shape[-1]).view(1, 1, 1, -1)\n"
                    "        bias = places * places.numel() * mask.sum()\n"));
}

}  // namespace
}  // namespace portwright::lift

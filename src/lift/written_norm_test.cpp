#include "lift/written_norm.h"

#include <gtest/gtest.h>

#include "torch/torch.h"
#include "trace/recorder.h"

namespace portwright::lift {
namespace {

using eval::Value;

/// Records the forward of a module with a weight and a bias (6,), which is
/// given x (2, 7, 6).
class WrittenNormTest : public ::testing::Test {
 protected:
  WrittenNormTest() {
    torch::install_torch(interp_);
  }

  /// The norm that the module answers.
  std::optional<WrittenNorm> answer(const std::string& body) {
    const std::string source = "import torch\nfrom torch import nn\n\n"
                               "class Layer(nn.Module):\n"
                               "    def __init__(self):\n"
                               "        super().__init__()\n"
                               "        self.weight = "
                               "nn.Parameter(torch.ones(6))\n"
                               "        self.bias = "
                               "nn.Parameter(torch.ones(6))\n"
                               "    def forward(self, x):\n" +
                               body + "\nlayer = Layer()\n";
    trace::Recorder recorder(interp_);
    const auto module = interp_.run_source("layer", "layer.py", source);
    const Value layer = interp_.getattr(Value(module), "layer");
    recorder.built(layer);
    const Value x(torch::make_tensor(interp_, mx::full({2, 7, 6}, 0.5f)));
    interp_.call(layer, {x});
    trace_ = recorder.finish();
    const Frame* forward = trace::first_module(trace_->root);
    x_ = forward->inputs[0];
    const Flows flows(*trace_, x_, 0, 0);
    const Graph graph = make_graph(*trace_, *forward);
    return written_norm(*trace_, flows, graph, forward->outputs[0]);
  }

  eval::Interpreter interp_;
  std::unique_ptr<Trace> trace_;
  ValueId x_ = 0;
};

TEST_F(WrittenNormTest, KnowsTheRootMeanSquareHoweverItIsWritten) {
  for (const char* body :
       {"        return x * torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + "
        "1e-5)",
        "        return torch.rsqrt((x * x).mean(dim=2, keepdim=True) + 1e-5) "
        "* x",
        "        return x / torch.sqrt(1e-5 + "
        "torch.square(x).mean((-1,), keepdim=True))",
        "        y = x.float()\n"
        "        return (y * torch.pow(torch.mean(y ** 2, -1, keepdim=True) + "
        "1e-5, -0.5)).type_as(x)"}) {
    const auto norm = answer(body);
    ASSERT_TRUE(norm) << body;
    EXPECT_EQ(norm->x, x_);
    EXPECT_FALSE(norm->centred);
    EXPECT_EQ(norm->epsilon().as_double(), 1e-5);
    EXPECT_FALSE(norm->weight);
  }
}

TEST_F(WrittenNormTest, TakesTheWeightInThatItsAnswerIsMultipliedBy) {
  const auto norm = answer(
      "        y = x * torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + 1e-5)\n"
      "        return self.weight * y.to(x.dtype)");
  ASSERT_TRUE(norm);
  EXPECT_EQ(trace_->info(norm->weight).parameter, "weight");
}

TEST_F(WrittenNormTest, LeavesAWeightWhereTheAnswerIsReadElsewhereToo) {
  EXPECT_FALSE(answer(
      "        y = x * torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + 1e-5)\n"
      "        return self.weight * y + y"));
}

TEST_F(WrittenNormTest, KnowsLayerNorm) {
  for (const char* body :
       {"        mean = x.mean(-1, keepdim=True)\n"
        "        var = (x - mean).pow(2).mean(-1, keepdim=True)\n"
        "        y = (x - mean) * torch.rsqrt(var + 1e-5)\n",
        "        y = x - x.mean(-1, keepdim=True)\n"
        "        y = y / torch.sqrt((y * y).mean(-1, keepdim=True) + 1e-5)\n",
        "        var = x.var(-1, unbiased=False, keepdim=True)\n"
        "        y = (x - x.mean(-1, keepdim=True)) * torch.rsqrt(var + "
        "1e-5)\n"}) {
    const auto norm = answer(
        std::string(body) + "        return y * self.weight + self.bias");
    ASSERT_TRUE(norm) << body;
    EXPECT_EQ(norm->x, x_);
    EXPECT_TRUE(norm->centred);
    EXPECT_EQ(trace_->info(norm->weight).parameter, "weight");
    EXPECT_EQ(trace_->info(norm->bias).parameter, "bias");
  }
}

TEST_F(WrittenNormTest, IsNotTakenInByWhatIsNearlyOne) {
  for (
      const char* body :
      {// of another axis
       "        return x * torch.rsqrt(x.pow(2).mean(1, keepdim=True) + 1e-5)",
       // of another value
       "        return x * torch.rsqrt((x + 1).pow(2).mean(-1, keepdim=True) + "
       "1e-5)",
       // a sum
       "        return x * torch.rsqrt(x.pow(2).sum(-1, keepdim=True) + 1e-5)",
       // another power
       "        return x * torch.rsqrt(x.pow(4).mean(-1, keepdim=True) + 1e-5)",
       // an unbiased variance
       "        var = x.var(-1, keepdim=True)\n"
       "        return (x - x.mean(-1, keepdim=True)) * torch.rsqrt(var + "
       "1e-5)",
       // a variance of what keeps its mean
       "        var = x.var(-1, unbiased=False, keepdim=True)\n"
       "        return x * torch.rsqrt(var + 1e-5)",
       // the root of the root
       "        return x / (x.pow(2).mean(-1, keepdim=True) + 1e-5)"}) {
    EXPECT_FALSE(answer(body)) << body;
  }
}

}  // namespace
}  // namespace portwright::lift

#include "lift/norm.h"

#include <gtest/gtest.h>

#include "torch/torch.h"

namespace portwright::lift {
namespace {

using eval::Value;

class NormTest : public ::testing::Test {
 protected:
  NormTest() {
    torch::install_torch(interp_);
  }

  /// Lifts an instance of class Norm, whose forward is `body`.
  std::optional<Norm> lift(
      const std::string& body,
      const std::string& parameters =
          "self.weight = nn.Parameter(torch.ones(6))") {
    const std::string source = "import torch\nfrom torch import nn\n\n"
                               "class Norm(nn.Module):\n"
                               "    def __init__(self):\n"
                               "        super().__init__()\n"
                               "        " +
                               parameters +
                               "\n"
                               "        self.eps = 0.003\n"
                               "    def forward(self, x):\n" +
                               body + "\nnorm = Norm()\n";
    auto module = interp_.run_source(
        "norm" + std::to_string(++count_), "norm.py", source);
    return lift_norm(interp_, interp_.getattr(Value(module), "norm"), 6);
  }

  eval::Interpreter interp_;
  int count_ = 0;
};

constexpr const char* kRms =
    "        x = x * torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + self.eps)\n"
    "        return self.weight * x";

TEST_F(NormTest, KnowsRms) {
  const auto norm = lift(kRms);
  ASSERT_TRUE(norm);
  EXPECT_EQ(norm->kind, Norm::Kind::Rms);
  EXPECT_EQ(norm->eps_attribute, "eps");
}

TEST_F(NormTest, TellsAnOffsetWeightFromAPlainOne) {
  const auto norm = lift("        x = x * torch.rsqrt(x.pow(2).mean(-1, "
                         "keepdim=True) + self.eps)\n"
                         "        return (1.0 + self.weight) * x");
  ASSERT_TRUE(norm);
  EXPECT_EQ(norm->kind, Norm::Kind::RmsPlusOne);
}

TEST_F(NormTest, KnowsLayerNormWithoutBias) {
  const auto norm = lift("        x = x - x.mean(-1, keepdim=True)\n"
                         "        x = x * torch.rsqrt(x.pow(2).mean(-1, "
                         "keepdim=True) + self.eps)\n"
                         "        return self.weight * x");
  ASSERT_TRUE(norm);
  EXPECT_EQ(norm->kind, Norm::Kind::Layer);
  EXPECT_FALSE(norm->has_bias);
}

TEST_F(NormTest, RefusesEpsOutsideTheRoot) {
  EXPECT_FALSE(lift(
      "        x = x / (x.pow(2).mean(-1, keepdim=True).sqrt() + self.eps)\n"
      "        return self.weight * x"));
}

TEST_F(NormTest, RefusesWhatOnlyLooksLikeANorm) {
  EXPECT_FALSE(lift(
      "        x = x * torch.rsqrt(x.abs().mean(-1, keepdim=True) + self.eps)\n"
      "        return self.weight * x"));
  EXPECT_FALSE(lift("        return self.weight * x"));
}

TEST_F(NormTest, LeavesTheParametersAsTheyWere) {
  ASSERT_TRUE(lift(kRms));
  auto module = interp_.import_module("norm1");
  const Value weight =
      interp_.getattr(interp_.getattr(Value(module), "norm"), "weight");
  const auto array = torch::array_of(*torch::as_tensor(weight));
  EXPECT_TRUE(mlx::core::array_equal(array, mlx::core::ones({6})).item<bool>());
}

TEST_F(NormTest, KnowsOneThatComputesInFloat32) {
  EXPECT_TRUE(
      lift("        y = x.float()\n"
           "        y = y * torch.rsqrt(y.pow(2).mean(-1, keepdim=True) + "
           "self.eps)\n"
           "        return self.weight * y.to(x.dtype)"));
}

TEST_F(NormTest, LeavesOneThatAnswersInFloat32) {
  // mx.fast.rms_norm would answer a bfloat16 model in bfloat16.
  EXPECT_FALSE(
      lift("        y = x.float()\n"
           "        y = y * torch.rsqrt(y.pow(2).mean(-1, keepdim=True) + "
           "self.eps)\n"
           "        return self.weight.float() * y"));
}

}  // namespace
}  // namespace portwright::lift

#include "lift/affine.h"

#include <gtest/gtest.h>

#include "torch/torch.h"

namespace portwright::lift {
namespace {

using eval::Value;

class AffineTest : public ::testing::Test {
 protected:
  AffineTest() {
    torch::install_torch(interp_);
  }

  /// Lifts a module with a weight of that shape and a bias of `out`.
  Affine lift(
      const std::string& shape,
      const std::string& out,
      const std::string& result) {
    const std::string source =
        "import torch\nfrom torch import nn\n\n"
        "class Map(nn.Module):\n"
        "    def __init__(self):\n"
        "        super().__init__()\n"
        "        self.weight = nn.Parameter(torch.ones(" +
        shape + "))\n        self.bias = nn.Parameter(torch.ones(" + out +
        "))\n    def forward(self, x):\n        return " + result +
        "\nmap = Map()\n";
    auto module =
        interp_.run_source("map" + std::to_string(++count_), "map.py", source);
    return lift_affine(interp_, interp_.getattr(Value(module), "map"));
  }

  eval::Interpreter interp_;
  int count_ = 0;
};

TEST_F(AffineTest, TellsTheOrientationOfSquareWeights) {
  EXPECT_EQ(
      lift("6, 6", "6", "x @ self.weight + self.bias"), Affine::Transposed);
  EXPECT_EQ(lift("6, 6", "6", "x @ self.weight.T + self.bias"), Affine::Linear);
}

TEST_F(AffineTest, TakesOtherShapesAndSpellings) {
  EXPECT_EQ(
      lift(
          "4, 6",
          "6",
          "torch.addmm(self.bias, x.view(-1, x.size(-1)), self.weight)"
          ".view(x.size()[:-1] + (6,))"),
      Affine::Transposed);
}

TEST_F(AffineTest, LeavesWhatDoesMoreAlone) {
  EXPECT_EQ(
      lift("6, 6", "6", "torch.relu(x @ self.weight) + self.bias"),
      Affine::None);
}

TEST_F(AffineTest, LeavesProductsOfFloat32InABfloat16Model) {
  EXPECT_EQ(
      lift("6, 6", "6", "x.float() @ self.weight.float() + self.bias"),
      Affine::None);
}

}  // namespace
}  // namespace portwright::lift

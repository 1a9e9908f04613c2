#include "lift/causal_conv.h"

#include "lift/recurrence_test_base.h"

namespace portwright::lift {
namespace {

class CausalConvTest : public RecurrenceTest {
 protected:
  std::optional<CausalConv> lift(const std::string& of_full) {
    record(
        "",
        "        self.conv = nn.Conv1d(6, 6, 3, groups=6, padding=2)\n",
        "        x = x.transpose(1, 2)\n"
        "        full = cache.update_conv_state(x)\n"
        "        y = F.conv1d(full, self.conv.weight, self.conv.bias,\n"
        "            padding=2, groups=6)\n" +
            of_full + "        return y.transpose(1, 2)\n");
    return lift_causal_conv(
        interp_, *trace_, *flows_, graph_, updates_.front());
  }
};

TEST_F(CausalConvTest, KnowsAConvolutionOfKeptAndNewInputs) {
  const auto found = lift("        y = y[..., :full.shape[-1]]\n"
                          "        y = y[..., -7:]\n");
  ASSERT_TRUE(found);
  EXPECT_EQ(found->channels, 6);
  EXPECT_EQ(found->kernel, 3);
  EXPECT_EQ(found->activation, CausalConv::Activation::None);
  EXPECT_EQ(trace_->info(found->weight).parameter, "conv.weight");
  EXPECT_EQ(trace_->info(found->bias).parameter, "conv.bias");
}

TEST_F(CausalConvTest, KnowsItsActivation) {
  const auto found =
      lift("        y = F.silu(y[..., :full.shape[-1]])[..., -7:]\n");
  ASSERT_TRUE(found);
  EXPECT_EQ(found->activation, CausalConv::Activation::Silu);
}

TEST_F(CausalConvTest, KnowsOtherActivations) {
  using Activation = CausalConv::Activation;
  const std::pair<const char*, Activation> known[] = {
      {"F.gelu(y)", Activation::Gelu},
      {"F.gelu(y, approximate='tanh')", Activation::GeluTanh},
      {"F.relu(y)", Activation::Relu},
      {"torch.tanh(y)", Activation::Tanh},
      {"torch.sigmoid(y)", Activation::Sigmoid}};
  for (const auto& [text, activation] : known) {
    const auto found = lift(
        "        y = y[..., :full.shape[-1]]\n        y = " +
        std::string(text) + "[..., -7:]\n");
    ASSERT_TRUE(found) << text;
    EXPECT_EQ(found->activation, activation) << text;
  }
}

TEST_F(CausalConvTest, RefusesAnotherActivation) {
  EXPECT_FALSE(lift("        y = F.elu(y[..., :full.shape[-1]])[..., -7:]\n"));
}

TEST_F(CausalConvTest, RefusesOneThatReadsWhatComes) {
  EXPECT_FALSE(lift("        y = y[..., 2:][..., :full.shape[-1]]\n"
                    "        y = y[..., -7:]\n"));
}

}  // namespace
}  // namespace portwright::lift

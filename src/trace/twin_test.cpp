#include "trace/twin.h"

#include <gtest/gtest.h>

#include "trace/recorder.h"

namespace portwright::trace {
namespace {

using eval::Value;
using torch::Dtype;

constexpr const char* kTwinModel = R"py(
import torch
from torch import nn

class Router(nn.Module):
    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(3))

    def forward(self, x):
        scores = x * self.weight
        wide = scores.float().exp()
        if scores.sum() > 1000:
            wide = wide.sin()
        return wide.to(x.dtype)

model = Router()
)py";

class TwinTest : public ::testing::Test {
 protected:
  std::unique_ptr<Trace> record(eval::Interpreter& interp, mx::array x) {
    Recorder recorder(interp);
    const Value model = interp.getattr(module_, "model");
    recorder.built(model);
    interp.call(model, {Value(torch::make_tensor(interp, x))});
    return recorder.finish();
  }

  /// Records in float32 and then in bfloat16, with inputs of those sizes.
  void record_both(float first, float second) {
    torch::install_torch(interp_);
    module_ = Value(interp_.run_source("model", "model.py", kTwinModel));
    first_ = record(interp_, mx::full({2, 3}, first));
    interp_.call_method(interp_.getattr(module_, "model"), "bfloat16");
    twin_ =
        match(*first_, record(interp_, mx::full({2, 3}, second, mx::bfloat16)));
  }

  const OpNode& op(std::string_view name) const {
    for (const auto& info : first_->values) {
      if (info.producer && info.producer->op->name == name) {
        return *info.producer;
      }
    }
    throw std::out_of_range("no such operation");
  }

  eval::Interpreter interp_;
  Value module_;
  std::unique_ptr<Trace> first_;
  Twin twin_;
};

TEST_F(TwinTest, ShowsWhatIsReadInAnotherDtypeThanItWasMadeIn) {
  record_both(1, 1);
  EXPECT_TRUE(twin_.complete);
  const OpNode& product = op("mul");
  EXPECT_EQ(twin_.dtype(product.outputs[0]), Dtype::BFloat16);
  const OpNode& exp = op("exp");
  EXPECT_EQ(exp.inputs[0], product.outputs[0]);
  EXPECT_EQ(twin_.input_dtype(exp, 0), Dtype::Float32);
  EXPECT_EQ(twin_.dtype(exp.outputs[0]), Dtype::Float32);
}

TEST_F(TwinTest, ShowsTheDtypeOfACallsAnswer) {
  record_both(1, 1);
  const auto* forward =
      std::get_if<std::unique_ptr<Frame>>(&first_->root.items.back());
  ASSERT_TRUE(forward);
  EXPECT_EQ(twin_.output_dtype(**forward, 0), Dtype::BFloat16);
}

TEST_F(TwinTest, EndsWhereDataChoseAnotherWay) {
  record_both(1, 10000);
  EXPECT_FALSE(twin_.complete);
  EXPECT_EQ(twin_.dtype(op("mul").outputs[0]), Dtype::BFloat16);
}

}  // namespace
}  // namespace portwright::trace

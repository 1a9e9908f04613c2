#include "lift/proof.h"

#include <gtest/gtest.h>

#include <cmath>

#include "trace/recorder.h"
#include "trace/twin.h"

namespace portwright::lift {
namespace {

using eval::Value;

/// A forward that computes a small difference of large numbers in float32.
class ProofTest : public ::testing::Test {
 protected:
  ProofTest() {
    torch::install_torch(interp_);
    const auto module = interp_.run_source(
        "proof",
        "proof.py",
        "from torch import nn\n\n"
        "class Difference(nn.Module):\n"
        "    def forward(self, x):\n"
        "        wide = x.float()\n"
        "        return (wide * 1000 - wide * 999).to(x.dtype)\n\n"
        "model = Difference()\n");
    const Value model = interp_.getattr(Value(module), "model");
    trace_ = record(model, mx::float32);
    half_ = trace::match(*trace_, record(model, mx::bfloat16));
  }

  std::shared_ptr<Trace> record(const Value& model, mx::Dtype dtype) {
    trace::Recorder recorder(interp_);
    recorder.built(model);
    interp_.call(
        model, {Value(torch::make_tensor(interp_, mx::ones({2, 8}, dtype)))});
    return recorder.finish();
  }

  bool stands_for_it(const std::function<mx::array(const mx::array&)>& form) {
    const Frame& frame = *trace::first_module(trace_->root);
    const ValueId in = frame.inputs[0];
    return agree_in_half(
        interp_,
        *trace_,
        &half_,
        {{in, random({2, 8}, 1)}},
        frame.outputs[0],
        [&](const Given& given) { return form(given.at(in)); });
  }

  static mx::array difference(const mx::array& x) {
    return mx::multiply(x, mx::array(1000, x.dtype())) -
           mx::multiply(x, mx::array(999, x.dtype()));
  }

  eval::Interpreter interp_;
  std::shared_ptr<Trace> trace_;
  trace::Twin half_;
};

TEST_F(ProofTest, AcceptsInBfloat16WhatErrsNoMoreThanTheSource) {
  EXPECT_TRUE(stands_for_it([](const mx::array& x) { return x; }));
  EXPECT_TRUE(stands_for_it([](const mx::array& x) {
    return mx::astype(difference(mx::astype(x, mx::float32)), x.dtype());
  }));
}

TEST_F(ProofTest, RefusesInBfloat16WhatTheSourceComputesInFloat32) {
  EXPECT_FALSE(stands_for_it(difference));
}

TEST_F(ProofTest, RefusesWhatAnswersABfloat16ModelInFloat32) {
  EXPECT_FALSE(stands_for_it(
      [](const mx::array& x) { return mx::astype(x, mx::float32); }));
}

TEST(RelativeErrors, AreOfEachPairAndInfiniteWhereNothingCanBeSaid) {
  const mx::array x({1.0f, -4.0f}), y({1.0f, -5.0f}), none = mx::zeros({2});
  const auto errors = relative_errors(
      {{x, x},
       {x, y},
       {x, none},
       {x, mx::array({NAN, 1.0f})},
       {x, mx::zeros({3})},
       {mx::zeros({0}), mx::zeros({0})}});
  EXPECT_EQ(errors[0], 0);
  EXPECT_FLOAT_EQ(static_cast<float>(errors[1]), 0.2f);
  EXPECT_EQ(errors[2], 4);  // of zeros: the difference itself
  EXPECT_TRUE(std::isinf(errors[3]));
  EXPECT_TRUE(std::isinf(errors[4]));
  EXPECT_EQ(errors[5], 0);
}

TEST(Random, HasDeviationOneAndIsTheSameForASeed) {
  const mx::array x = random({64, 256}, 3);
  EXPECT_NEAR(mx::mean(x).item<float>(), 0, 0.03);
  EXPECT_NEAR(mx::mean(mx::square(x)).item<float>(), 1, 0.03);
  EXPECT_TRUE(mx::array_equal(x, random({64, 256}, 3)).item<bool>());
  EXPECT_FALSE(mx::array_equal(x, random({64, 256}, 4)).item<bool>());
}

}  // namespace
}  // namespace portwright::lift

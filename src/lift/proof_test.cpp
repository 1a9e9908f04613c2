#include "lift/proof.h"

#include <gtest/gtest.h>

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

}  // namespace
}  // namespace portwright::lift

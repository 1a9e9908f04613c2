#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "eval/interpreter.h"
#include "torch/call.h"
#include "torch/torch.h"

namespace portwright::torch {
namespace {

using ::testing::ElementsAre;

/// Numbers every value and keeps what is needed to run the ops again.
struct Recorder : OpObserver {
  struct Step {
    const Op* op;
    std::vector<Value> args;
    Value result;
  };
  void on_op(const Op& op, std::span<const Value> args, const Value& result)
      override {
    steps.push_back({&op, {args.begin(), args.end()}, result});
    if (Tensor* t = as_tensor(result)) {
      t->value_id = ++last;
      t->value_version = t->storage->version;
    }
  }
  void on_read(const Tensor&) override {
    ++reads;
  }
  std::vector<std::string> names() const {
    std::vector<std::string> out;
    for (const Step& step : steps) {
      out.push_back(step.op->name);
    }
    return out;
  }
  std::vector<Step> steps;
  uint32_t last = 0;
  int reads = 0;
};

class Observed : public ::testing::Test {
 protected:
  Observed() {
    install_torch(interp);
    interp.import_module("torch");
    set_op_observer(interp, &recorder);
  }
  Value run(std::string text) {
    const auto module = interp.run_source(
        "m", "m.py", "import torch\nimport torch.nn.functional as F\n" + text);
    return interp.getattr(module, "result");
  }
  eval::Interpreter interp;
  Recorder recorder;
};

TEST_F(Observed, HearsEachOperationOnceAndNotWhatIsInside) {
  run("x = torch.ones(2, 3)\nresult = F.softmax(x.view(3, 2) * 2, dim=-1)");
  EXPECT_THAT(recorder.names(), ElementsAre("ones", "view", "mul", "softmax"));
}

TEST_F(Observed, ArgumentsComeBoundWithDefaults) {
  run("result = torch.ones(2).add_(1, alpha=2)");
  const auto& step = recorder.steps.back();
  EXPECT_TRUE(step.op->in_place);
  EXPECT_EQ(step.args.size(), 3u);
  EXPECT_EQ(step.args[step.op->param("alpha")].as_int(), 2);
  EXPECT_TRUE(step.result.same(step.args[0]));
}

TEST_F(Observed, SizesKnowTheirAxis) {
  const Value size = run("x = torch.ones(2, 3)\nresult = x.shape[1] * 2");
  ASSERT_NE(size.provenance(), nullptr);
  EXPECT_EQ(size.provenance()->left->kind, eval::Provenance::Kind::Dim);
  EXPECT_EQ(size.provenance()->left->integer, 1);
}

TEST_F(Observed, ElementsKnowTheirTensor) {
  const Value item = run("result = torch.ones(2).sum().item()");
  ASSERT_NE(item.provenance(), nullptr);
  EXPECT_EQ(item.provenance()->kind, eval::Provenance::Kind::Data);
  EXPECT_EQ(recorder.reads, 1);
}

TEST_F(Observed, ViewsKnowTheirOrigin) {
  const Value row = run("x = torch.ones(2, 3)\nresult = x[1]");
  const Tensor& t = *as_tensor(row);
  ASSERT_NE(t.origin, nullptr);
  EXPECT_EQ(t.origin->op->name, "getitem");
  EXPECT_EQ(t.origin->source->value_id, 1u);
}

TEST_F(Observed, StepsRunAgainOnOtherTensors) {
  run("x = torch.ones(3)\nresult = x * 2 + 1");
  set_op_observer(interp, nullptr);
  Value value = make_tensor(interp, mx::array({1.f, 2.f, 5.f}));
  for (size_t i = 1; i < recorder.steps.size(); ++i) {
    auto args = recorder.steps[i].args;
    args[0] = value;
    value = run_op(interp, *recorder.steps[i].op, args);
  }
  mx::array out = array_of(*as_tensor(value));
  mx::eval(out);
  EXPECT_EQ(out.data<float>()[2], 11.f);
}

TEST_F(Observed, LoadingKeepsIdentityAndChecksTheShape) {
  const Value p = run("result = torch.nn.Linear(2, 3).weight");
  Tensor& t = *as_tensor(p);
  EXPECT_FALSE(load_data(t, mx::zeros({2, 3})));
  EXPECT_TRUE(load_data(t, mx::ones({3, 2}, mx::bfloat16)));
  EXPECT_EQ(t.dtype, Dtype::BFloat16);
  EXPECT_TRUE(t.is_parameter);
}

TEST_F(Observed, UnsupportedKeywordsAreHoles) {
  EXPECT_THROW(
      run("x = torch.ones(2)\nresult = torch.add(x, x, out=x)"), eval::Refusal);
  EXPECT_THROW(run("result = torch.no_such_name"), eval::Refusal);
  EXPECT_THROW(
      run("class M(torch.nn.Module):\n"
          "    def forward(self):\n"
          "        return torch.rand(2)\n"
          "result = M()()"),
      eval::Refusal);
}

}  // namespace
}  // namespace portwright::torch

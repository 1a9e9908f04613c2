#include "trace/recorder.h"

#include <gmock/gmock.h>

#include "trace/explain.h"
#include "trace/replay.h"
#include "trace/twin.h"

namespace portwright::trace {
namespace {

using eval::Value;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

constexpr const char* kModel = R"py(
import torch
from torch import nn

class Scaled(nn.Module):
    def __init__(self, size, factor):
        super().__init__()
        self.proj = nn.Linear(size, size, bias=False)
        self.factor = factor

    def forward(self, x):
        if self.factor > 1:
            x = x * self.factor
        hidden = self.proj(x)
        return hidden + 1

model = Scaled(3, 2.0)
)py";

constexpr const char* kStores = R"py(
import torch
from torch import nn

class Joined(nn.Module):
    def forward(self, x):
        y = x.new_empty(2, 5)
        y[..., :3].copy_(x)
        y[..., 3:] = x[..., :2] * 2
        return y + 1

model = Joined()
)py";

constexpr const char* kOverwritten = R"py(
import torch
from torch import nn

class Overwritten(nn.Module):
    def forward(self, x):
        y = x * 2
        first = y[0]
        first[::2] = y[1, ::2]
        return first + 1

model = Overwritten()
)py";

constexpr const char* kByLength = R"py(
import torch
from torch import nn

class ByLength(nn.Module):
    def forward(self, x):
        if x.shape[0] == 1 and x is not None:
            return x * 3
        return x * 2 if x.shape[0] > 1 else x * 5

model = ByLength()
)py";

constexpr const char* kLarge = R"py(
import torch
from torch import nn

class Large(nn.Module):
    def forward(self, x):
        grown = x.sum() + torch.zeros(2, 512, 256)
        whole = grown * 2
        first, second = whole.split(256, 1)
        rows = whole.transpose(1, 2)
        rows[..., :3] = first[..., :1] * 3
        corner = rows[:, :2, :2].clone()
        if rows.sum().item() > 0:
            rows = rows + second.transpose(1, 2).repeat(1, 1, 2)
        return corner.sum() + rows.sum()

model = Large()
)py";

constexpr const char* kLooped = R"py(
import torch
from torch import nn

class Looped(nn.Module):
    def forward(self, x):
        seen = []
        for turn in range(2):
            for factor in (3, 5):
                x = x * factor
            seen.append(x)
            y = torch.stack(seen)
        return y

model = Looped()
)py";

class RecorderTest : public ::testing::Test {
 protected:
  RecorderTest() {
    torch::install_torch(interp_);
    record(kModel);
  }

  void record(const char* source) {
    recorder_ = std::make_unique<Recorder>(interp_);
    auto module = interp_.run_source("model", "model.py", source);
    model_ = interp_.getattr(Value(module), "model");
    recorder_->built(model_);
    input_ = torch::make_tensor(
        interp_, mx::reshape(mx::arange(0., 6., mx::float32), {2, 3}));
    interp_.call(model_, {Value(input_)});
    trace_ = recorder_->finish();
  }

  const Frame& forward() {
    return *first_module(trace_->root);
  }

  eval::Interpreter interp_;
  std::unique_ptr<Recorder> recorder_;
  Value model_;
  eval::Ref<torch::Tensor> input_;
  std::unique_ptr<Trace> trace_;
};

TEST_F(RecorderTest, FormsATreeOfModuleCalls) {
  const std::string text = print(*trace_);
  EXPECT_THAT(text, HasSubstr("Scaled(x=%"));
  EXPECT_THAT(text, HasSubstr("proj: Linear"));
  EXPECT_THAT(text, HasSubstr("= mul("));
  EXPECT_THAT(text, HasSubstr("@proj.weight"));
}

TEST_F(RecorderTest, IsInStaticSingleAssignment) {
  EXPECT_THAT(check(*trace_), IsEmpty());
}

TEST_F(RecorderTest, KeepsTheNamesValuesWereBoundTo) {
  const ValueId out = forward().outputs.front();
  const ValueId hidden = trace_->info(out).producer->inputs.front();
  ASSERT_EQ(trace_->info(hidden).names.size(), 1u);
  EXPECT_EQ(trace_->info(hidden).names.front().str(), "hidden");
}

TEST_F(RecorderTest, KnowsHowModulesWereConstructed) {
  const auto& made = trace_->constructions.at(model_.object());
  EXPECT_EQ(made.args.at(1).as_int(), 3);
  EXPECT_EQ(made.args.at(2).as_double(), 2.0);
}

TEST_F(RecorderTest, KnowsTheTurnsOfLoops) {
  record(kLooped);
  const auto& turns = forward().turns;
  ASSERT_EQ(turns.size(), 6u);
  EXPECT_EQ(turns[0].outer, 0u);
  EXPECT_EQ(turns[1].outer, turns[0].loop);
  EXPECT_EQ(turns[2].loop, turns[1].loop);
  EXPECT_EQ(turns[2].index, 1);
  EXPECT_EQ(turns[3].loop, turns[0].loop);
  // The product of the first factor is made in the first turn of each loop.
  EXPECT_EQ(turns[1].begin, turns[0].begin);
  EXPECT_EQ(turns[1].end, turns[1].begin + 1);
  EXPECT_EQ(turns[3].begin, turns[0].end);
}

TEST_F(RecorderTest, KeepsListsAsTheyWere) {
  record(kLooped);
  std::vector<size_t> stacked;
  for (const auto& item : forward().items) {
    if (const auto* op = std::get_if<OpNode>(&item);
        op && op->op->name == "stack") {
      stacked.push_back(tensors_in(op->args[0]).size());
    }
  }
  EXPECT_EQ(stacked, (std::vector<size_t>{1, 2}));
}

TEST_F(RecorderTest, ReplaysWithOtherNumbers) {
  Replay replay(interp_, *trace_);
  replay.change_numbers([](const Value& v) {
    return v.is_float() && v.as_double() == 2 ? Value::real(0) : Value();
  });
  const auto result = replay.compute(forward().outputs.front());
  EXPECT_TRUE(mx::array_equal(result, mx::ones({2, 3})).item<bool>());
}

TEST_F(RecorderTest, ReplaysWithOtherValues) {
  Replay replay(interp_, *trace_);
  const ValueId in = forward().inputs.front();
  const ValueId out = forward().outputs.front();
  EXPECT_FALSE(
      replay.depends(trace_->values.size() - 1) &&
      in == trace_->values.size() - 1);
  replay.replace(in, mx::zeros({2, 3}));
  auto result = replay.compute(out);
  EXPECT_TRUE(mx::array_equal(result, mx::ones({2, 3})).item<bool>());
}

TEST_F(RecorderTest, FollowsWritesIntoViews) {
  record(kStores);
  EXPECT_THAT(check(*trace_), IsEmpty());
  Replay replay(interp_, *trace_);
  replay.replace(forward().inputs.front(), mx::ones({2, 3}));
  auto result = replay.compute(forward().outputs.front());
  const auto expected =
      mx::concatenate({mx::full({2, 3}, 2.0f), mx::full({2, 2}, 3.0f)}, 1);
  EXPECT_TRUE(mx::array_equal(result, expected).item<bool>());
}

TEST_F(RecorderTest, DecidesTestsOfExtentsAsBefore) {
  Recorder recorder(interp_);
  const auto module = interp_.run_source("model", "model.py", kByLength);
  const Value model = interp_.getattr(Value(module), "model");
  recorder.built(model);
  const auto factor = [&](int rows) {
    const Value x(torch::make_tensor(interp_, mx::ones({rows, 3})));
    const Value y = interp_.call(model, {x});
    return mx::max(torch::array_of(*torch::as_tensor(y))).item<float>();
  };
  EXPECT_EQ(factor(2), 2);
  recorder.decide_as_before();
  EXPECT_EQ(factor(1), 2);
}

TEST_F(RecorderTest, FollowsWritesOfPartsOfTheSameTensor) {
  record(kOverwritten);
  EXPECT_THAT(check(*trace_), IsEmpty());
  Replay replay(interp_, *trace_);
  replay.replace(
      forward().inputs.front(),
      mx::array({1.f, 1.f, 1.f, 10.f, 20.f, 30.f}, {2, 3}));
  auto result = replay.compute(forward().outputs.front());
  EXPECT_TRUE(
      mx::array_equal(result, mx::array({21.f, 3.f, 61.f})).item<bool>());
}

TEST_F(RecorderTest, ExplainsWhatAModuleDid) {
  const auto lines = explain(*trace_, "");
  ASSERT_TRUE(lines);
  EXPECT_EQ(to_text(*lines), R"(model.py
    13 | x = x * self.factor
       |   float32[2,3] x
    14 | hidden = self.proj(x)
       |   proj float32[2,3]
    15 | return hidden + 1
)");
}

TEST_F(RecorderTest, ExplainsWhoReadsAParameter) {
  const auto lines = explain(*trace_, "proj.weight");
  ASSERT_TRUE(lines);
  ASSERT_EQ(lines->size(), 1u);
  EXPECT_THAT(lines->front().text, HasSubstr("F.linear"));
  EXPECT_FALSE(explain(*trace_, "proj.bias"));
}

TEST_F(RecorderTest, KeepsNoLargeResultsButWhatTheyAreMadeOf) {
  record(kLarge);
  constexpr size_t kMegabyte = 1 << 20;
  size_t large = 0;
  for (const ValueInfo& info : trace_->values) {
    if (torch::Tensor* tensor = torch::as_tensor(info.tensor)) {
      const mx::array& now = tensor->array();
      large += now.nbytes() >= kMegabyte;
      EXPECT_TRUE(now.nbytes() < kMegabyte || !now.is_available())
          << (info.producer ? info.producer->op->name : "");
      EXPECT_TRUE(!now.is_available() || now.buffer_size() < kMegabyte);
    }
  }
  EXPECT_GE(large, 5u);

  // Under way they are what was computed.
  Recorder recorder(interp_);
  recorder.built(model_);
  interp_.call(model_, {Value(input_)});
  const auto& computed = recorder.trace().values;
  const auto first = first_module(recorder.trace().root)->inputs.front();
  const size_t shift = forward().inputs.front() - first;
  for (size_t id = first; id < computed.size(); ++id) {
    const auto* made = torch::as_tensor(computed[id].tensor);
    const auto* again = torch::as_tensor(trace_->values[id + shift].tensor);
    EXPECT_TRUE(mx::array_equal(made->array(), again->array()).item<bool>());
  }
}

}  // namespace
}  // namespace portwright::trace

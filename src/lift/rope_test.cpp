#include "lift/rope.h"

#include <gtest/gtest.h>
#include <cmath>

#include "lift/proof.h"
#include "trace/recorder.h"
#include "trace/twin.h"

namespace portwright::lift {
namespace {

using eval::Value;

constexpr const char* kHead = R"py(
import torch
from torch import nn

class Angles(nn.Module):
    def __init__(self):
        super().__init__()
        self.inv_freq = 1.0 / (100.0 ** (torch.arange(0, 4, 2).float() / 4))

    def forward(self, x, positions):
        inv_freq = self.inv_freq
)py";

constexpr const char* kTail = R"py(
        freqs = positions[..., None].float() * inv_freq
        return freqs.cos().unsqueeze(1), freqs.sin().unsqueeze(1)

class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.angles = Angles()

    def forward(self, x, positions):
        cos, sin = self.angles(x, positions)
)py";

/// Rotates x (2, 3, 5, 6) by four channels, or as `turn` says.
class RopeTest : public ::testing::Test {
 protected:
  RopeTest() {
    torch::install_torch(interp_);
  }

  std::optional<Rope> lift(
      const std::string& turn,
      const std::string& angles = "") {
    const std::string source =
        kHead + angles + kTail + turn + "\nmodel = Model()\n";
    auto module = interp_.run_source("rope", "rope.py", source);
    const Value model = interp_.getattr(Value(module), "model");
    const auto half = record(model, mx::bfloat16);
    trace_ = record(model, mx::float32);
    const auto twin = trace::match(*trace_, half);
    const Flows flows(*trace_, forward().inputs[0], positions_, 0);
    return lift_rope(
        interp_,
        *trace_,
        flows,
        make_graph(*trace_, forward()),
        positions_,
        forward().outputs[0],
        &twin);
  }

  std::shared_ptr<Trace> record(const Value& model, mx::Dtype dtype) {
    trace::Recorder recorder(interp_);
    recorder.built(model);
    const auto x =
        torch::make_tensor(interp_, rounded(random({2, 3, 5, 6}, 1), dtype));
    const auto positions = torch::make_tensor(
        interp_, mx::broadcast_to(mx::arange(7, 12, mx::int64), {2, 5}));
    interp_.call(model, {Value(x), Value(positions)});
    auto trace = recorder.finish();
    positions_ = positions->value_id;
    return trace;
  }

  const Frame& forward() {
    return *trace::first_module(trace_->root);
  }

  eval::Interpreter interp_;
  std::shared_ptr<Trace> trace_;
  ValueId positions_ = 0;
};

constexpr const char* kHalf = R"py(
        a, b, rest = x[..., :2], x[..., 2:4], x[..., 4:]
        return torch.cat((a * cos - b * sin, b * cos + a * sin, rest), dim=-1)
)py";

TEST_F(RopeTest, FindsHalvesOfPartOfTheChannels) {
  const auto rope = lift(kHalf);
  ASSERT_TRUE(rope);
  EXPECT_EQ(rope->dims, 4);
  EXPECT_FALSE(rope->traditional);
  EXPECT_TRUE(rope->steady);
  EXPECT_TRUE(agree(rope->rotation, {{1, 0.1}, 1}));
}

TEST_F(RopeTest, FindsOneThatAnswersInItsOwnDtype) {
  EXPECT_TRUE(lift(R"py(
        a, b, rest = x[..., :2].float(), x[..., 2:4].float(), x[..., 4:]
        turned = (a * cos - b * sin, b * cos + a * sin)
        return torch.cat(tuple(t.to(x.dtype) for t in turned) + (rest,), dim=-1)
)py"));
}

TEST_F(RopeTest, FindsPairsOfAWholeHeadThatStandStill) {
  const auto rope = lift(R"py(
        a, b = x[..., :2], x[..., 3:5]
        turned = (a * cos - b * sin, x[..., 2:3], b * cos + a * sin, x[..., 5:])
        return torch.cat(turned, dim=-1)
)py");
  ASSERT_TRUE(rope);
  EXPECT_EQ(rope->dims, 6);
  EXPECT_FALSE(rope->traditional);
  EXPECT_TRUE(agree(rope->rotation, {{1, 0.1, 0}, 1}));
}

TEST_F(RopeTest, FindsInterleavedPairs) {
  const auto rope = lift(R"py(
        a, b = x[..., 0:4:2], x[..., 1:4:2]
        turned = torch.stack((a * cos - b * sin, b * cos + a * sin), dim=-1)
        return torch.cat((turned.flatten(-2), x[..., 4:]), dim=-1)
)py");
  ASSERT_TRUE(rope);
  EXPECT_TRUE(rope->traditional);
  EXPECT_FALSE(rope->deinterleaved);
}

TEST_F(RopeTest, SeesInterleavedPairsThatAreTakenApart) {
  const auto rope = lift(R"py(
        a, b = x[..., 0:4:2], x[..., 1:4:2]
        turned = (a * cos - b * sin, b * cos + a * sin, x[..., 4:])
        return torch.cat(turned, dim=-1)
)py");
  ASSERT_TRUE(rope);
  EXPECT_TRUE(rope->traditional);
  EXPECT_TRUE(rope->deinterleaved);
}

TEST_F(RopeTest, SeesTheOtherDirection) {
  const auto rope = lift(R"py(
        a, b, rest = x[..., :2], x[..., 2:4], x[..., 4:]
        return torch.cat((a * cos + b * sin, b * cos - a * sin, rest), dim=-1)
)py");
  ASSERT_TRUE(rope);
  EXPECT_TRUE(agree(rope->rotation, {{-1, -0.1}, 1}));
}

TEST_F(RopeTest, ReadsTheMagnitude) {
  const auto rope =
      lift("        cos, sin = cos * 1.25, sin * 1.25" + std::string(kHalf));
  ASSERT_TRUE(rope);
  EXPECT_NEAR(rope->rotation.magnitude, 1.25, 1e-6);
}

TEST_F(RopeTest, StaysWithinATable) {
  const auto rope = lift(R"py(
        table = torch.arange(0, 40).float()[:, None] * self.angles.inv_freq
        freqs = table[positions].unsqueeze(1)
        cos, sin = freqs.cos(), freqs.sin()
)py" + std::string(kHalf));
  ASSERT_TRUE(rope);
  EXPECT_TRUE(agree(rope->rotation, {{1, 0.1}, 1}));
}

TEST_F(RopeTest, RefusesRowsThatAreThereForTheRecordedPositionsAlone) {
  EXPECT_FALSE(lift(R"py(
        table = torch.arange(0, 12).float()[:, None] * self.angles.inv_freq
        freqs = table[positions][0][positions - 7].unsqueeze(1)
        cos, sin = freqs.cos(), freqs.sin()
)py" + std::string(kHalf)));
}

TEST_F(RopeTest, RefusesWhatIsNoRotation) {
  EXPECT_FALSE(lift("        return x[..., :2] * cos + 1\n"));
  EXPECT_FALSE(lift(R"py(
        a, b, rest = x[..., :2], x[..., 2:4], x[..., 4:]
        return torch.cat((a * cos - b * sin, b * cos + b * sin, rest), dim=-1)
)py"));
}

TEST_F(RopeTest, RefusesWhatIsBoundedFarAway) {
  EXPECT_FALSE(lift(R"py(
        a, b, rest = x[..., :2], x[..., 2:4], x[..., 4:]
        turned = torch.cat((a * cos - b * sin, b * cos + a * sin, rest), dim=-1)
        return turned.clamp(-50, 50)
)py"));
}

TEST_F(RopeTest, EvaluatesAnewWhatDecidesByPositions) {
  const auto rope = lift(kHalf, R"py(
        if positions.max() + 1 > 64:
            inv_freq = inv_freq / 2
)py");
  ASSERT_TRUE(rope);
  EXPECT_FALSE(rope->steady);
  EXPECT_TRUE(agree(rope->rotation, {{1, 0.1}, 1}));
  auto law = [](int length) {
    return length > 64 ? Rotation{{0.5, 0.05}, 1} : Rotation{{1, 0.1}, 1};
  };
  auto follow = [&](auto&& f, std::vector<int> lengths) {
    return follows(interp_, *trace_, positions_, *rope, f, lengths);
  };
  EXPECT_TRUE(follow(law, {5, 64, 65, 200}));
  auto late = [](int length) {
    return length > 65 ? Rotation{{0.5, 0.05}, 1} : Rotation{{1, 0.1}, 1};
  };
  EXPECT_TRUE(follow(late, {5, 64, 200}));
  EXPECT_FALSE(follow(late, {5, 64, 65, 200}));
}

}  // namespace
}  // namespace portwright::lift

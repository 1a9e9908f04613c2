#include "emit/appended_keys.h"

#include <gtest/gtest.h>

#include "torch/torch.h"
#include "trace/recorder.h"

namespace portwright::emit {
namespace {

using eval::Value;

constexpr const char* kUpdatingCache =
    "class Cache:\n"
    "    def update(self, k, v, layer_idx):\n"
    "        pass\n";

constexpr const char* kAttendingLayer =
    "import torch\n"
    "from torch import nn\n\n"
    "class Attention(nn.Module):\n"
    "    def __init__(self):\n"
    "        super().__init__()\n"
    "        self.qkv = nn.Linear(12, 36)\n\n"
    "class Layer(nn.Module):\n"
    "    def __init__(self):\n"
    "        super().__init__()\n"
    "        self.attention = Attention()\n"
    "    def forward(self, x, past):\n"
    "        y, present = self.attention(x, past)\n"
    "        return x + y, present\n\n";

/// (B, H, S, D) of both.
constexpr const char* kByHeads =
    "def forward(self, x, past):\n"
    "    q, k, v = self.qkv(x).view(2, -1, 3, 3, 4).permute(2, 0, 3, 1, 4)\n"
    "    k = torch.cat([past[0], k], dim=-2)\n"
    "    v = torch.cat([past[1], v], dim=-2)\n"
    "    w = torch.softmax(q @ k.transpose(-1, -2), -1)\n"
    "    return (w @ v).transpose(1, 2).reshape(2, -1, 12), (k, v)\n";

/// Values (S, B, H, D) first, then keys (B, H, D, S).
constexpr const char* kOtherwiseLaid =
    "def forward(self, x, past):\n"
    "    q, k, v = self.qkv(x).view(2, -1, 3, 3, 4).permute(2, 0, 3, 1, 4)\n"
    "    k, v = k.transpose(2, 3), v.permute(2, 0, 1, 3)\n"
    "    v = torch.cat([past[1], v], dim=0)\n"
    "    k = torch.cat([past[0], k], dim=-1)\n"
    "    w = torch.softmax(q @ k, -1)\n"
    "    v = v.permute(1, 2, 0, 3)\n"
    "    return (w @ v).transpose(1, 2).reshape(2, -1, 12), (k, v)\n";

class AppendedKeysTest : public ::testing::Test {
 protected:
  AppendedKeysTest() {
    torch::install_torch(interp_);
    interp_.run_source(
        "transformers.cache_utils", "cache_utils.py", kUpdatingCache);
  }

  Value numbers(const mlx::core::Shape& shape) {
    return Value(torch::make_tensor(interp_, mlx::core::random::normal(shape)));
  }

  /// The layer's forward of 7 tokens after 5, with what was taken in it.
  void record(
      const std::string& forward,
      const mlx::core::Shape& keys,
      const mlx::core::Shape& values) {
    trace::Recorder recorder(interp_);
    const auto module = interp_.run_source(
        "model",
        "model.py",
        kAttendingLayer + forward +
            "\nAttention.forward = forward\nlayer = Layer()\n");
    const Value layer = interp_.getattr(Value(module), "layer");
    recorder.built(layer);
    const Value x = numbers({2, 7, 12});
    const Value y =
        interp_.call(layer, {x, eval::tuple({numbers(keys), numbers(values)})});
    Evaluation e;
    e.ids = torch::as_tensor(x)->value_id;
    e.batch = 2;
    e.length = 7;
    e.offset = 5;
    const auto made = interp_.to_vector(y)[0];
    result_ = torch::as_tensor(made)->value_id;
    taken_ = take_appended_keys(interp_, recorder.trace(), e);
    trace_ = recorder.finish();
  }

  const Frame& layer() const {
    return **std::get_if<std::unique_ptr<Frame>>(&trace_->root.items.back());
  }
  const Frame* update() const {
    const auto graph = lift::make_graph(*trace_, *attention());
    const auto found = std::find_if(
        graph.functions.begin(), graph.functions.end(), [](const Frame* f) {
          return lift::is_cache_update(*f);
        });
    return found == graph.functions.end() ? nullptr : *found;
  }
  const Frame* attention() const {
    for (const auto& item : layer().items) {
      const auto* child = std::get_if<std::unique_ptr<Frame>>(&item);
      if (child && (*child)->is_module()) {
        return child->get();
      }
    }
    return nullptr;
  }
  void expect_a_sound_trace() const {
    EXPECT_EQ(trace::check(*trace_), std::vector<std::string>());
    EXPECT_NE(trace_->info(result_).producer, nullptr);
  }

  eval::Interpreter interp_;
  std::unique_ptr<Trace> trace_;
  std::set<ValueId> taken_;
  ValueId result_ = 0;
};

TEST_F(AppendedKeysTest, WhatIsAppendedIsTheLibrarysUpdate) {
  record(kByHeads, {2, 3, 5, 4}, {2, 3, 5, 4});
  ASSERT_TRUE(update());
  EXPECT_EQ(update()->inputs.size(), 2);
  for (ValueId id : update()->outputs) {
    EXPECT_TRUE(taken_.contains(id));
    EXPECT_EQ(trace_->info(id).shape, (torch::Sizes{2, 3, 12, 4}));
  }
  expect_a_sound_trace();
}

TEST_F(AppendedKeysTest, NothingOfItIsGivenOrAnswered) {
  record(kByHeads, {2, 3, 5, 4}, {2, 3, 5, 4});
  EXPECT_EQ(layer().inputs.size(), 1);
  EXPECT_EQ(layer().outputs.size(), 1);
  EXPECT_EQ(attention()->inputs.size(), 1);
  EXPECT_EQ(attention()->outputs.size(), 1);
}

TEST_F(AppendedKeysTest, AnyLayoutIsKeptByHeads) {
  record(kOtherwiseLaid, {2, 3, 4, 5}, {5, 2, 3, 4});
  ASSERT_TRUE(update());
  for (ValueId id : update()->inputs) {
    EXPECT_EQ(trace_->info(id).shape, (torch::Sizes{2, 3, 7, 4}));
  }
  for (ValueId id : update()->outputs) {
    EXPECT_EQ(trace_->info(id).shape, (torch::Sizes{2, 3, 12, 4}));
  }
  expect_a_sound_trace();
}

TEST_F(AppendedKeysTest, KeysAreWhatScoresAreMadeOf) {
  record(kOtherwiseLaid, {2, 3, 4, 5}, {5, 2, 3, 4});
  ASSERT_TRUE(update());
  const auto& names = trace_->info(update()->inputs[0]).names;
  ASSERT_FALSE(names.empty());
  EXPECT_EQ(names.back().str(), "k");
}

TEST_F(AppendedKeysTest, WhatIsJoinedOtherwiseIsLeftAlone) {
  // As many as there were tokens before, but along another axis.
  record(
      "def forward(self, x, past):\n"
      "    y = torch.cat([past[0], x[:, None]], dim=1)\n"
      "    return x + torch.softmax(y.sum(1), -1), (y, past[1])\n",
      {2, 5, 7, 12},
      {2, 3, 5, 4});
  EXPECT_FALSE(update());
  EXPECT_TRUE(taken_.empty());
}

}  // namespace
}  // namespace portwright::emit

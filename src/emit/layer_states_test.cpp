#include "emit/layer_states.h"

#include <gtest/gtest.h>

#include <cmath>

#include "emit/backbone_parts.h"
#include "emit/built_weights.h"
#include "emit/first_states.h"
#include "torch/torch.h"
#include "trace/recorder.h"

namespace portwright::emit {
namespace {

using eval::Value;

constexpr const char* kLayers =
    "import torch\n"
    "from torch import nn\n\n"
    "class Layer(nn.Module):\n"
    "    def __init__(self, index):\n"
    "        super().__init__()\n"
    "        self.index = index\n"
    "        self.linear = nn.Linear(6, 6)\n"
    "    def forward(self, x, kept):\n"
    "        state = self.read(kept)\n"
    "        u = self.linear(x)\n"
    "        each = []\n"
    "        for t in range(u.shape[1]):\n"
    "            state = 0.5 * state + u[:, t]\n"
    "            each.append(state)\n"
    "        return torch.stack(each, dim=1), self.write(kept, state)\n\n"
    "class Model(nn.Module):\n"
    "    def __init__(self):\n"
    "        super().__init__()\n"
    "        self.layers = nn.ModuleList([Layer(0), Layer(1)])\n";

/// Layers are given their states and answer the next ones.
constexpr const char* kCopied =
    "    def forward(self, x, cache):\n"
    "        for i, layer in enumerate(self.layers):\n"
    "            x, state = layer(x, cache[i])\n"
    "            cache[i].copy_(state)\n"
    "        return x\n\n"
    "Layer.read = lambda self, kept: kept\n"
    "Layer.write = lambda self, kept, state: state\n"
    "cache = [torch.zeros(2, 6), torch.zeros(2, 6)]\n";

constexpr const char* kReadByTheCaller =
    "    def forward(self, x, cache):\n"
    "        for i, layer in enumerate(self.layers):\n"
    "            x, state = layer(x, cache[i])\n"
    "            x = x + state[:, None]\n"
    "            cache[i].copy_(state)\n"
    "        return x\n\n"
    "Layer.read = lambda self, kept: kept\n"
    "Layer.write = lambda self, kept, state: state\n"
    "cache = [torch.zeros(2, 6), torch.zeros(2, 6)]\n";

/// Layers read and write their slices of one tensor.
constexpr const char* kSliced =
    "    def forward(self, x, cache):\n"
    "        for layer in self.layers:\n"
    "            x, cache = layer(x, cache)\n"
    "        return x\n\n"
    "def write(self, kept, state):\n"
    "    kept[0][:, :, self.index] = state\n"
    "    return kept\n"
    "Layer.read = lambda self, kept: kept[0][:, :, self.index]\n"
    "Layer.write = write\n"
    "cache = [torch.zeros(2, 6, 2)]\n";

constexpr const char* kSameSlice =
    "    def forward(self, x, cache):\n"
    "        for layer in self.layers:\n"
    "            x, cache = layer(x, cache)\n"
    "        return x\n\n"
    "def write(self, kept, state):\n"
    "    kept[0][:, :, 0] = state\n"
    "    return kept\n"
    "Layer.read = lambda self, kept: kept[0][:, :, 0]\n"
    "Layer.write = write\n"
    "cache = [torch.zeros(2, 6, 2)]\n";

class LayerStatesTest : public ::testing::Test {
 protected:
  LayerStatesTest() {
    torch::install_torch(interp_);
  }

  void record(const std::string& rest) {
    trace::Recorder recorder(interp_);
    const auto module = interp_.run_source(
        "model", "model.py", kLayers + rest + "\nmodel = Model()\n");
    const Value model = interp_.getattr(Value(module), "model");
    const Value cache = interp_.getattr(Value(module), "cache");
    recorder.built(model);
    KeptStates kept(interp_, recorder.trace(), cache);
    const auto forward = [&] {
      const Value x(
          torch::make_tensor(interp_, mlx::core::full({2, 7, 6}, 0.5f)));
      interp_.call(model, {x, cache});
      return torch::as_tensor(x)->value_id;
    };
    forward();
    kept.changes(1);
    const auto first =
        static_cast<trace::ValueId>(recorder.trace().values.size());
    recorder.trace().root.items.clear();
    const trace::ValueId ids = forward();
    const auto before = kept.changes(first);
    count_ = before.size();
    changes_ = give_to_layers(interp_, recorder.trace(), before, ids);
    trace_ = recorder.finish();
    for_each_module(trace_->root, [&](const Frame& f) {
      if (list_path(f.path) == "layers") {
        layers_.push_back(&f);
      }
    });
  }

  void expect_given_to_layers() {
    EXPECT_TRUE(trace::check(*trace_).empty());
    ASSERT_EQ(changes_.size(), 2);
    ASSERT_EQ(layers_.size(), 2);
    for (size_t i = 0; i < 2; ++i) {
      EXPECT_EQ(keeper_of(*trace_, changes_[i]), layers_[i]);
      EXPECT_EQ(layers_[i]->inputs.size(), 1);
      EXPECT_EQ(layers_[i]->outputs.size(), 1);
      const auto& made = trace_->info(changes_[i].after);
      EXPECT_EQ(made.shape, (torch::Sizes{2, 6}));
      EXPECT_TRUE(made.producer);
      EXPECT_FALSE(trace_->info(changes_[i].before).producer);
    }
    const std::string text = trace::print(*trace_);
    EXPECT_EQ(text.find("copy_"), std::string::npos);
    EXPECT_EQ(text.find("setitem_"), std::string::npos);
  }

  /// The first states of a model whose forward makes the cache itself.
  std::map<std::string, float> first_states(const std::string& made) {
    trace::Recorder recorder(interp_);
    const auto module = interp_.run_source(
        "model",
        "model.py",
        std::string(kLayers) + kSliced + "\ndef made():\n    " + made +
            "\n    return cache\nmodel = Model()\n");
    const Value model = interp_.getattr(Value(module), "model");
    recorder.built(model);
    const size_t items = recorder.trace().root.items.size();
    auto out = find_first_states(interp_, recorder, [&] {
      const Value cache = interp_.call(
          interp_.getattr(Value(module), "made"), std::vector<Value>{});
      const Value x(
          torch::make_tensor(interp_, mlx::core::full({2, 7, 6}, 0.5f)));
      interp_.call(model, {x, cache});
      return cache;
    });
    EXPECT_EQ(recorder.trace().root.items.size(), items);
    return out;
  }

  eval::Interpreter interp_;
  std::unique_ptr<Trace> trace_;
  std::vector<const Frame*> layers_;
  std::vector<KeptStates::Change> changes_;
  size_t count_ = 0;
};

TEST_F(LayerStatesTest, GivesWhatACallerCopies) {
  record(kCopied);
  EXPECT_EQ(count_, 2);
  expect_given_to_layers();
  EXPECT_EQ(changes_[0].place, "cache[0]");
}

TEST_F(LayerStatesTest, GivesSlicesOfOneTensor) {
  record(kSliced);
  EXPECT_EQ(count_, 1);
  expect_given_to_layers();
  EXPECT_EQ(changes_[1].place, "cache[0][1]");
}

TEST_F(LayerStatesTest, LeavesWhatTheCallerReads) {
  record(kReadByTheCaller);
  EXPECT_NE(trace::print(*trace_).find("copy_"), std::string::npos);
  EXPECT_EQ(layers_[0]->outputs.size(), 2);
}

TEST_F(LayerStatesTest, LeavesASliceOfSeveralLayers) {
  record(kSameSlice);
  EXPECT_EQ(changes_.size(), count_);
  EXPECT_NE(trace::print(*trace_).find("setitem_"), std::string::npos);
}

TEST_F(LayerStatesTest, TellsWhatStatesBeginWith) {
  const auto found =
      first_states("cache = [torch.zeros(2, 6, 2)]; cache[0] -= 1e30");
  ASSERT_EQ(found.size(), 2);
  EXPECT_FLOAT_EQ(found.at("cache[0][0]"), -1e30F);
  EXPECT_FLOAT_EQ(found.at("cache[0][1]"), -1e30F);
}

TEST_F(LayerStatesTest, TellsNoNumberOfSeveral) {
  const auto found =
      first_states("cache = [torch.arange(24.0).reshape(2, 6, 2)]");
  ASSERT_EQ(found.size(), 2);
  EXPECT_TRUE(std::isnan(found.at("cache[0][0]")));
}

TEST_F(LayerStatesTest, RefusesAForwardThatChangesItsWeights) {
  const auto module = interp_.run_source(
      "model", "model.py", std::string(kLayers) + kCopied + "m = Model()\n");
  const Value model = interp_.getattr(Value(module), "m");
  const BuiltWeights built(interp_, model);
  interp_.run_source(
      "same",
      "same.py",
      "import torch\nfrom model import m\n"
      "with torch.no_grad():\n    m.layers[0].linear.weight.add_(0)\n");
  EXPECT_NO_THROW(built.refuse_changed());
  interp_.run_source(
      "other",
      "other.py",
      "import torch\nfrom model import m\n"
      "with torch.no_grad():\n    m.layers[0].linear.weight.add_(1)\n");
  EXPECT_THROW(built.refuse_changed(), eval::Refusal);
}

}  // namespace
}  // namespace portwright::emit

#include "emit/kept_states.h"

#include <gtest/gtest.h>

#include "lift/causal_conv.h"
#include "lift/recurrence.h"
#include "lift/step.h"
#include "torch/torch.h"
#include "trace/recorder.h"

namespace portwright::emit {
namespace {

using eval::Value;

constexpr const char* kCaches = "class Cache:\n"
                                "    def update(self, keys, values):\n"
                                "        pass\n";

constexpr const char* kRunning = "def one_token():\n    pass\n"
                                 "def get_recurrent_state():\n    pass\n"
                                 "def update_recurrent_state():\n    pass\n";

constexpr const char* kHeader =
    "import torch\n"
    "from torch import nn\n\n"
    "class Layer(nn.Module):\n"
    "    def __init__(self):\n"
    "        super().__init__()\n"
    "        self.linear = nn.Linear(6, 6)\n"
    "        self.conv = nn.Conv1d(6, 6, 3, groups=6)\n"
    "        self.state = None\n";

/// Written apart for one token and for more of them.
constexpr const char* kRecurrence =
    "    def forward(self, x):\n"
    "        u = self.linear(x)\n"
    "        if u.shape[1] == 1:\n"
    "            self.state = 0.5 * self.state + u[:, 0]\n"
    "            y = self.state[:, None]\n"
    "        else:\n"
    "            state = torch.zeros_like(u[:, 0])\n"
    "            if self.state is not None:\n"
    "                state = self.state\n"
    "            each = []\n"
    "            for t in range(u.shape[1]):\n"
    "                state = 0.5 * state + u[:, t]\n"
    "                each.append(state)\n"
    "            y = torch.stack(each, dim=1)\n"
    "            self.state = state\n"
    "        return torch.tanh(y)\n";

/// Forgets the inputs before more than one token, as a prefill may.
constexpr const char* kConvolution =
    "    def forward(self, x):\n"
    "        u = self.linear(x).transpose(1, 2)\n"
    "        if u.shape[2] == 1:\n"
    "            full = torch.cat([self.state, u], dim=-1)\n"
    "            y = (full * self.conv.weight[:, 0]).sum(-1) + self.conv.bias\n"
    "            y = y[..., None]\n"
    "            self.state = full[..., 1:]\n"
    "        else:\n"
    "            full = torch.nn.functional.pad(u, (2, 0))\n"
    "            y = self.conv(full)\n"
    "            self.state = full[..., -2:]\n"
    "        return torch.tanh(y.transpose(1, 2))\n";

/// A state of the inputs alone, and one that follows from both.
constexpr const char* kTwoStates =
    "    last = torch.zeros(2, 6)\n"
    "    def forward(self, x):\n"
    "        u = self.linear(x)\n"
    "        shifted = torch.zeros_like(u)\n"
    "        shifted[:, 0] = self.last\n"
    "        if u.shape[1] > 1:\n"
    "            shifted[:, 1:] = u[:, :-1]\n"
    "        self.last = u[:, -1]\n"
    "        return self.recur(torch.tanh(shifted))\n"
    "    def recur(self, k):\n"
    "        state = self.state\n"
    "        if state is None:\n"
    "            state = torch.zeros(2, 6)\n"
    "        y = torch.zeros_like(k)\n"
    "        for t in range(k.shape[1]):\n"
    "            state = 0.5 * state + k[:, t]\n"
    "            y[:, t] = state\n"
    "        self.state = state\n"
    "        return y\n";

/// Writes over the tensor that it keeps.
constexpr const char* kCopying =
    "    kept = torch.zeros(2, 6)\n"
    "    def forward(self, x):\n"
    "        u = self.linear(x)\n"
    "        state = self.kept.clone()\n"
    "        each = []\n"
    "        for t in range(u.shape[1]):\n"
    "            state = torch.tanh(0.5 * state + u[:, t])\n"
    "            each.append(state)\n"
    "        if self.state is None:\n"
    "            self.state = self.kept\n"
    "        self.state.zero_()\n"
    "        self.state += state\n"
    "        self.state.copy_(1 * self.state)\n"
    "        return torch.stack(each, dim=1)\n";

class KeptStatesTest : public ::testing::Test {
 protected:
  KeptStatesTest() {
    torch::install_torch(interp_);
    interp_.run_source("transformers.cache_utils", "cache_utils.py", kCaches);
    interp_.run_source("portwright.running", "running.py", kRunning);
  }

  void record(const std::string& forward) {
    trace::Recorder recorder(interp_);
    const auto module = interp_.run_source(
        "model", "model.py", kHeader + forward + "\nlayer = Layer()\n");
    const Value layer = interp_.getattr(Value(module), "layer");
    const auto tokens = [&](int count) {
      return Value(
          torch::make_tensor(interp_, mlx::core::full({2, count, 6}, 0.5f)));
    };
    interp_.call(layer, {tokens(4)});
    recorder.built(layer);
    Trace& trace = recorder.trace();
    KeptStates kept(interp_, trace, {});
    const auto before = static_cast<trace::ValueId>(trace.values.size());
    const Value x = tokens(7);
    interp_.call(layer, {x});
    changes_ = before_copies(trace, kept.changes(before));
    const trace::ValueId ids = torch::as_tensor(x)->value_id;
    ASSERT_TRUE(normalise_states(interp_, trace, changes_, ids));
    const size_t items = trace.root.items.size();
    const auto first = static_cast<trace::ValueId>(trace.values.size());
    interp_.call(layer, {tokens(1)});
    fold_step(interp_, trace, items, first, changes_, kept.changes(first));
    trace_ = recorder.finish();
    flows_ = std::make_unique<lift::Flows>(*trace_, ids, 0, 0);
    const auto& last = trace_->root.items.back();
    graph_ =
        lift::make_graph(*trace_, **std::get_if<std::unique_ptr<Frame>>(&last));
    step_ = lift::find_step(*trace_, *flows_, graph_, {0}, 7);
  }

  eval::Interpreter interp_;
  std::unique_ptr<Trace> trace_;
  std::unique_ptr<lift::Flows> flows_;
  lift::Graph graph_;
  std::vector<KeptStates::Change> changes_;
  std::optional<lift::Step> step_;
};

TEST_F(KeptStatesTest, FindsWhatAModuleKeepsByItself) {
  record(kRecurrence);
  ASSERT_EQ(changes_.size(), 1);
  EXPECT_EQ(changes_[0].place, ".state");
  EXPECT_TRUE(changes_[0].own);
  EXPECT_EQ(lift::find_state_updates(graph_).size(), 1);
}

TEST_F(KeptStatesTest, TakesWhatIsCopiedIntoAPlace) {
  record(kCopying);
  ASSERT_EQ(changes_.size(), 1);
  EXPECT_EQ(trace_->info(changes_[0].after).producer->op->name, "mul");
}

TEST_F(KeptStatesTest, CutsTheForwardOfOneTokenOut) {
  record(kRecurrence);
  ASSERT_TRUE(step_);
  ASSERT_EQ(step_->inputs.size(), 1);
  EXPECT_EQ(step_->inputs[0].axis, 1);
  const auto& whole = trace_->info(step_->inputs[0].whole).shape;
  EXPECT_EQ(whole, (torch::Sizes{2, 7, 6}));
  ASSERT_EQ(step_->outputs.size(), 1);
  EXPECT_EQ(step_->outputs[0].axis, 1);
  ASSERT_EQ(step_->states.size(), 1);
  EXPECT_NE(step_->states[0].before, 0);
  const auto& after = trace_->info(step_->states[0].after).shape;
  EXPECT_EQ(after, (torch::Sizes{2, 6}));
  EXPECT_FALSE(lift::lift_causal_conv(interp_, *trace_, *step_));
}

TEST_F(KeptStatesTest, CarriesStatesOnInTurnsWhereOneFollowsFromTheOther) {
  record(kTwoStates);
  ASSERT_EQ(changes_.size(), 2);
  EXPECT_EQ(changes_[0].place, ".last");
  const auto find = [&](const std::vector<size_t>& updates) {
    return lift::find_step(*trace_, *flows_, graph_, updates, 7);
  };
  EXPECT_FALSE(find({0, 1}));
  ASSERT_TRUE(find({0}));
  EXPECT_EQ(find({0})->inputs.size(), 1);  // not what the store fills
  EXPECT_TRUE(find({1}));
}

TEST_F(KeptStatesTest, KnowsAConvolutionByTheForwardOfOneToken) {
  record(kConvolution);
  ASSERT_TRUE(step_);
  const auto found = lift::lift_causal_conv(interp_, *trace_, *step_);
  ASSERT_TRUE(found);
  EXPECT_EQ(found->kernel, 3);
  EXPECT_EQ(found->input_axis, 2);
  EXPECT_EQ(found->output_axis, 2);  // before both transpose it
  EXPECT_EQ(trace_->info(found->weight).parameter, "conv.weight");
}

}  // namespace
}  // namespace portwright::emit

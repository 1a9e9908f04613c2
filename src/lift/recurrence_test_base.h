#pragma once

#include <gtest/gtest.h>

#include "lift/recurrence.h"
#include "torch/torch.h"
#include "trace/recorder.h"
#include "trace/twin.h"

namespace portwright::lift {

/// Records forwards of modules that keep states in a cache. The source defines
/// the functions, then `forward(self, cache, x)` of the module by `body`; x is
/// (2, 7, 6), and the states were kept of a prefix.
class RecurrenceTest : public ::testing::Test {
 protected:
  RecurrenceTest() {
    torch::install_torch(interp_);
  }

  void record(
      const std::string& functions,
      const std::string& parameters,
      const std::string& body) {
    const std::string source =
        "import torch\n"
        "from torch import nn\n"
        "import torch.nn.functional as F\n\n"
        "class Cache:\n"
        "    def __init__(self, conv, state):\n"
        "        self.conv, self.state = conv, state\n"
        "    def get_recurrent_state(self):\n"
        "        return self.state\n"
        "    def update_conv_state(self, x):\n"
        "        full = torch.cat([self.conv, x], dim=-1)\n"
        "        self.conv = full[..., -4:]\n"
        "        return full\n"
        "    def update_recurrent_state(self, state):\n"
        "        self.state = state\n"
        "        return state\n\n" +
        functions +
        "\nclass Layer(nn.Module):\n"
        "    def __init__(self):\n"
        "        super().__init__()\n" +
        parameters + "    def forward(self, x, cache):\n" + body +
        "\nlayer = Layer()\n"
        "cache = Cache(torch.ones(2, 6, 4), torch.ones(STATE))\n";
    trace::Recorder recorder(interp_);
    std::string text = source;
    text.replace(text.find("STATE"), 5, state_);
    // The cache's calls are known by the library module they stand in.
    const auto module =
        interp_.run_source("transformers.cache_utils", "cache_utils.py", text);
    const Value layer = interp_.getattr(Value(module), "layer");
    const Value cache = interp_.getattr(Value(module), "cache");
    recorder.built(layer);
    const Value x(torch::make_tensor(interp_, mx::full({2, 7, 6}, 0.5f)));
    interp_.call(layer, {x, cache});
    trace_ = recorder.finish();
    const Frame* forward = trace::first_module(trace_->root);
    flows_ = std::make_unique<Flows>(*trace_, forward->inputs[0], 0, 0);
    graph_ = make_graph(*trace_, *forward);
    updates_ = find_state_updates(graph_);
  }

  std::optional<Recurrence> recurrence() {
    return updates_.empty() ? std::nullopt
                            : find_recurrence(*trace_, graph_, updates_.back());
  }

  using Value = eval::Value;
  std::string state_ = "2, 3, 4, 5";
  eval::Interpreter interp_;
  std::unique_ptr<Trace> trace_;
  std::unique_ptr<Flows> flows_;
  Graph graph_;
  std::vector<StateUpdate> updates_;
};

}  // namespace portwright::lift

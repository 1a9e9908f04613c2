#include "lift/made_masks.h"

#include <gtest/gtest.h>

#include "torch/torch.h"
#include "trace/recorder.h"

namespace portwright::lift {
namespace {

using eval::Value;

constexpr char kModel[] = R"py(
import torch
from torch import nn

class Attention(nn.Module):
    def forward(self, scores, mask, cache):
        scores, scores = cache.update(scores, scores)
        bare = mask[:, :, :, : scores.shape[-1]]
        return (scores + mask + bare).softmax(-1)

class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.first = Attention()
        self.second = Attention()
    def forward(self, scores, padding, cache):
        rows, keys = padding.shape
        length = scores.shape[-2]
        queries = torch.arange(keys - length, keys)
        columns = torch.arange(keys)
        lowest = torch.finfo(scores.dtype).min
)py";

/// Records a forward of scores (3, 1, 4, 9) and a mask (3, 9), which two
/// modules that keep keys are given by what the source makes of it.
class MadeMasksTest : public ::testing::Test {
 protected:
  MadeMasksTest() {
    torch::install_torch(interp_);
  }

  /// The window noted for what the modules get.
  std::optional<int64_t> window(const std::string& body) {
    const auto library = interp_.run_source(
        "transformers.cache_utils",
        "cache_utils.py",
        "class Cache:\n    def update(self, keys, values):\n"
        "        return keys, values\n");
    const auto source = interp_.run_source(
        "made" + std::to_string(++count_),
        "made.py",
        std::string(kModel) + body +
            "        return self.second(self.first(scores, mask, cache), mask, "
            "cache)\n"
            "\nmodule = Model()\n");
    const Value model = interp_.getattr(Value(source), "module");
    interp_.setattr(
        model,
        base::Symbol("reach"),
        Value::integer(512).with(interp_.provenance(
            {.kind = eval::Provenance::Kind::Config,
             .name = base::Symbol("reach")})));
    trace::Recorder recorder(interp_);
    recorder.built(model);
    const Value scores(
        torch::make_tensor(interp_, mlx::core::zeros({3, 1, 4, 9})));
    const Value padding(
        torch::make_tensor(interp_, mlx::core::ones({3, 9}, mlx::core::int64)));
    const Value cache = interp_.call(
        interp_.getattr(Value(library), "Cache"), eval::CallArgs());
    std::vector<Value> inputs{scores, padding, cache};
    interp_.call(model, std::move(inputs));
    const auto trace = recorder.finish();
    const Frame& forward = *trace::first_module(trace->root);
    Flows flows(*trace, forward.inputs.at(0), 0, forward.inputs.at(1));
    note_made_masks(interp_, *trace, 4, flows);
    for (const auto& item : forward.items) {
      const auto* child = std::get_if<std::unique_ptr<Frame>>(&item);
      if (child && (*child)->is_module()) {
        const ValueId mask = (*child)->inputs.at(1);
        for (const auto& inner : (*child)->items) {
          const auto* op = std::get_if<OpNode>(&inner);
          if (op && op->op->name == "getitem") {  // the module's own
            EXPECT_FALSE(flows.window_of(op->outputs.at(0)));
          }
        }
        return flows.window_of(mask);
      }
    }
    return {};
  }

  eval::Interpreter interp_;
  int count_ = 0;
};

TEST_F(MadeMasksTest, AddsWhatHidesLaterTokensAndPadding) {
  EXPECT_EQ(
      window(
          "        later = columns[None, :] > queries[:, None]\n"
          "        mask = torch.zeros(length, keys).masked_fill(later, "
          "lowest)\n"
          "        mask = mask[None, None].expand(rows, 1, -1, -1).clone()\n"
          "        hidden = padding[:, None, None, :] == 0\n"
          "        mask[:, :, :, :keys] = mask.masked_fill(hidden, lowest)\n"),
      0);
}

TEST_F(MadeMasksTest, ShowsByTruth) {
  EXPECT_EQ(
      window("        mask = columns[None, :] <= queries[:, None]\n"
             "        mask = mask[None, None] & padding[:, None, None, "
             ":].bool()\n"),
      0);
}

TEST_F(MadeMasksTest, SlidesOverTheLastTokens) {
  EXPECT_EQ(
      window("        near = columns[None, :] > queries[:, None] - 3\n"
             "        mask = near & (columns[None, :] <= queries[:, None])\n"
             "        mask = mask[None, None] & padding[:, None, None, "
             ":].bool()\n"),
      3);
}

TEST_F(MadeMasksTest, SlidesFurtherThanWasRecorded) {
  EXPECT_EQ(
      window(
          "        near = columns[None, :] >= queries[:, None] - self.reach\n"
          "        mask = near & (columns[None, :] <= queries[:, None])\n"
          "        mask = mask[None, None] & padding[:, None, None, "
          ":].bool()\n"),
      513);
}

TEST_F(MadeMasksTest, AreNoneThatReadTheConfigInAnotherWay) {
  EXPECT_FALSE(window(
      "        first = columns[None, :] < self.reach\n"
      "        mask = first & (columns[None, :] <= queries[:, None])\n"
      "        mask = mask[None, None] & padding[:, None, None, :].bool()\n"));
}

TEST_F(MadeMasksTest, AreMadeByEachModuleForItself) {
  const auto library = interp_.run_source(
      "transformers.cache_utils",
      "cache_utils.py",
      "class Cache:\n    def update(self, keys, values):\n"
      "        return keys, values\n");
  const auto source = interp_.run_source("own", "own.py", R"py(
import torch
from torch import nn

class Attention(nn.Module):
    def forward(self, scores, padding, cache):
        scores, scores = cache.update(scores, scores)
        rows = torch.arange(5, 9)[:, None]
        keys = torch.arange(9)[None]
        shown = ((keys <= rows) & (rows - keys < 4))[None, None]
        shown = shown & padding[:, None, None, :].bool()
        return scores.masked_fill(~shown, -1e30).softmax(-1)

module = Attention()
)py");
  const Value model = interp_.getattr(Value(source), "module");
  trace::Recorder recorder(interp_);
  recorder.built(model);
  const Value cache =
      interp_.call(interp_.getattr(Value(library), "Cache"), eval::CallArgs());
  interp_.call(
      model,
      {Value(torch::make_tensor(interp_, mlx::core::zeros({3, 1, 4, 9}))),
       Value(torch::make_tensor(
           interp_, mlx::core::ones({3, 9}, mlx::core::int64))),
       cache});
  const auto trace = recorder.finish();
  const Frame& forward = *trace::first_module(trace->root);
  Flows flows(*trace, forward.inputs.at(0), 0, forward.inputs.at(1));
  note_made_masks(interp_, *trace, 4, flows);
  std::vector<int64_t> windows;
  for (ValueId id = 1; id < trace->values.size(); ++id) {
    if (const auto window = flows.window_of(id)) {
      windows.push_back(*window);
    }
  }
  EXPECT_EQ(windows, std::vector<int64_t>{4});
}

TEST_F(MadeMasksTest, AreNoneThatForgetPaddingOrShowLaterTokens) {
  EXPECT_FALSE(window(
      "        mask = columns[None, :] <= queries[:, None]\n"
      "        mask = mask[None, None] & (padding[:, None, None, :] > -1)\n"));
  EXPECT_FALSE(window(
      "        mask = (columns > -1).expand(length, keys)\n"
      "        mask = mask[None, None] & padding[:, None, None, :].bool()\n"));
}

TEST_F(MadeMasksTest, AreNoneThatOnlyLowerScores) {
  EXPECT_FALSE(
      window("        later = (columns[None, :] > queries[:, None]).float()\n"
             "        hidden = 1.0 - padding[:, None, None, :].float()\n"
             "        mask = -3.0 * (later[None, None] + hidden)\n"));
}

}  // namespace
}  // namespace portwright::lift

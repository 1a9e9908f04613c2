#include "lift/memory.h"

#include <gtest/gtest.h>
#include <mlx/mlx.h>

#include "torch/torch.h"
#include "trace/recorder.h"

namespace portwright::lift {
namespace mx = mlx::core;

namespace {

using eval::Value;

class MemoryTest : public ::testing::Test {
 protected:
  MemoryTest() {
    torch::install_torch(interp_);
  }

  Value run(const std::string& source) {
    const std::string name = "m" + std::to_string(++count_);
    return Value(interp_.run_source(
        name, name + ".py", "import torch\nfrom torch import nn\n" + source));
  }

  /// The text of `body`, a forward from x, recorded by itself.
  std::string form(const std::string& body) {
    const Value model = interp_.getattr(
        run("class M(nn.Module):\n"
            "    def __init__(self):\n"
            "        super().__init__()\n"
            "        self.table = torch.arange(3).float()\n"
            "    def forward(self, x):\n" +
            body + "\nmodel = M()\n"),
        "model");
    trace::Recorder recorder(interp_);
    recorder.built(model);
    interp_.call(model, {Value(torch::make_tensor(interp_, mx::ones({2, 3})))});
    const auto trace = recorder.finish();
    const auto& frame =
        *std::get<std::unique_ptr<trace::Frame>>(trace->root.items.front());
    return form_text(
        Memory::of(interp_),
        *trace,
        {{frame.inputs[0], "x"}},
        frame.outputs[0]);
  }

  std::string module(const std::string& name, const Value& from) {
    return module_text(Memory::of(interp_), interp_.getattr(from, name));
  }

  eval::Interpreter interp_;
  int count_ = 0;
};

TEST_F(MemoryTest, AnswersTheSameTextOnce) {
  int proofs = 0;
  const auto prove = [&] { return ++proofs; };
  Memory& memory = Memory::of(interp_);
  EXPECT_EQ(memory.once<int>("a", prove), 1);
  EXPECT_EQ(Memory::of(interp_).once<int>("a", prove), 1);
  EXPECT_EQ(memory.once<int>("b", prove), 2);
}

TEST_F(MemoryTest, FormsOfOneTextAreOneForm) {
  const std::string text = form("        return x * self.table + 2");
  EXPECT_EQ(text, form("        y = self.table\n        return x * y + 2"));
  EXPECT_NE(text, form("        return x * self.table + 3"));
  EXPECT_NE(text, form("        return x * self.table + 2.0"));
  EXPECT_NE(text, form("        return x + self.table * 2"));
  EXPECT_NE(text, form("        return x * (self.table + 1) + 2"));
}

TEST_F(MemoryTest, ModulesOfOneTextAreAlikeButForTheirWeights) {
  const Value from =
      run("class M(nn.Module):\n"
          "    def __init__(self, size, eps):\n"
          "        super().__init__()\n"
          "        self.weight = nn.Parameter(torch.ones(size))\n"
          "        self.eps = eps\n"
          "class N(M):\n"
          "    pass\n"
          "a = M(3, 0.1)\n"
          "b = M(3, 0.1)\n"
          "b.weight.data.copy_(torch.zeros(3))\n"
          "wider = M(4, 0.1)\n"
          "other = M(3, 0.2)\n"
          "derived = N(3, 0.1)\n"
          "holding = M(3, 0.1)\n"
          "holding.inner = M(3, 0.1)\n");
  EXPECT_EQ(module("a", from), module("b", from));
  for (const char* name : {"wider", "other", "derived", "holding"}) {
    EXPECT_NE(module("a", from), module(name, from)) << name;
  }
}

}  // namespace
}  // namespace portwright::lift

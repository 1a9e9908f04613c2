#include <fmt/format.h>
#include <gtest/gtest.h>

#include "torch/torch.h"

namespace portwright::torch {
namespace {

TEST(Parameter, IsMadeOfNoOtherClass) {
  eval::Interpreter interp;
  install_torch(interp);
  int count = 0;
  for (const char* cls : {"5", "'x'", "int", "nn.Module", "nn.Buffer"}) {
    const auto source =
        fmt::format("from torch import nn\nnn.Parameter.__new__({})\n", cls);
    try {
      interp.run_source(fmt::format("made{}", ++count), "made.py", source);
      FAIL() << cls << " was taken";
    } catch (const eval::PythonError& error) {
      EXPECT_EQ(interp.describe(error).message.rfind("TypeError", 0), 0u)
          << cls;
    }
  }
}

}  // namespace
}  // namespace portwright::torch

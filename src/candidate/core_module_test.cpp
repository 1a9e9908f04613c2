#include "candidate/core_module.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace portwright::candidate {
namespace {

using eval::Interpreter;
using eval::Value;
using testing::HasSubstr;

/// Runs a text; answers repr(result).
std::string run(const std::string& text) {
  Interpreter interp;
  install_mlx_core(interp);
  const Value module(
      interp.run_source("test", "test.py", "import mlx.core as mx\n" + text));
  return interp.repr(interp.getattr(module, "result"));
}

std::string refused(const std::string& text) {
  try {
    return "answered " + run(text);
  } catch (const eval::Refusal& refusal) {
    return refusal.diagnostic.message;
  }
}

TEST(CoreModule, InPlaceOperatorsChangeTheObject) {
  EXPECT_EQ(
      run("x = mx.array([1, 2])\ny = x\ny += 1\nresult = x.tolist()\n"),
      "[2, 3]");
}

TEST(CoreModule, ItemAssignmentChangesNoCopy) {
  EXPECT_EQ(
      run("x = mx.zeros(2, mx.int32)\ny = x[:]\nx[0] = 1\n"
          "result = x.tolist(), y.tolist()\n"),
      "([1, 0], [0, 0])");
}

TEST(CoreModule, CompileIsTheFunctionItself) {
  EXPECT_EQ(
      run("from functools import partial\n"
          "@partial(mx.compile, shapeless=True)\n"
          "def f(x):\n    return x * 2\n"
          "result = f(mx.array(3)).item()\n"),
      "6");
}

TEST(CoreModule, IsACpuWithOneProcess) {
  EXPECT_EQ(
      run("result = (mx.metal.is_available(), mx.default_device() == mx.gpu,\n"
          "          mx.distributed.init().size())\n"),
      "(False, False, 1)");
}

TEST(CoreModule, ProductsWithMatricesThatAreNotThereAreNoNumbers) {
  EXPECT_EQ(
      run("x, w = mx.ones((1, 1, 2)), mx.ones((2, 2, 1))\n"
          "of = lambda *i: mx.gather_mm(x, w, rhs_indices=mx.array(i))\n"
          "result = of(0, 1).flatten().tolist(), of(1, 2)[1].item()\n"),
      "([2.0, 2.0], nan)");
}

TEST(CoreModule, RefusesWhatItDoesNotHave) {
  EXPECT_THAT(
      refused("result = mx.fast.metal_kernel(name='x')\n"),
      HasSubstr("mlx.core.fast.metal_kernel"));
  EXPECT_THAT(
      refused("result = mx.fft.rfft(mx.zeros(2))\n"),
      HasSubstr("mlx.core.fft"));
  EXPECT_THAT(
      refused("result = mx.zeros(3).at[mx.array([0])].add(1)\n"),
      HasSubstr("by an array of indices"));
  EXPECT_THAT(refused("result = mx.load('x')\n"), HasSubstr("mlx.core.load()"));
}

TEST(CoreModule, UnknownArgumentsAreErrors) {
  EXPECT_THROW(
      run("result = mx.softmax(mx.zeros(2), dim=0)\n"), eval::PythonError);
  EXPECT_THROW(run("result = mx.exp('x')\n"), eval::PythonError);
}

}  // namespace
}  // namespace portwright::candidate

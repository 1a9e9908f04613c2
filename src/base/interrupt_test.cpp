#include "base/interrupt.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <csignal>
#include <cstdio>
#include <vector>

namespace portwright::base {
namespace {

TEST(InterruptDeathTest, runs_the_registered_actions_newest_first) {
  testing::GTEST_FLAG(death_test_style) = "threadsafe";
  const auto interrupted = [](int signal) {
    exit_on_interrupt();
    const OnInterrupt first([] { std::fputs("first.", stderr); });
    OnInterrupt moved([] { std::fputs("second,", stderr); });
    const OnInterrupt second(std::move(moved));
    {
      const OnInterrupt gone([] { std::fputs("gone", stderr); });
    }
    ::kill(::getpid(), signal);
    ::pause();
  };
  EXPECT_EXIT(
      interrupted(SIGINT), testing::ExitedWithCode(130), "^second,first\\.$");
  EXPECT_EXIT(interrupted(SIGTERM), testing::ExitedWithCode(143), "");
}

}  // namespace
}  // namespace portwright::base

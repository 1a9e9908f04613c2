#include "base/progress.h"

#include <gtest/gtest.h>

#include <sstream>

namespace portwright::base {
namespace {

TEST(Progress, plain_is_a_line_a_step) {
  std::ostringstream out;
  const auto progress = plain_progress(out);
  progress->begin("reading weights");
  progress->advance(1, 2);
  progress->note("two shards");
  progress->end();
  EXPECT_EQ(out.str(), "reading weights\ntwo shards\n");
}

TEST(Progress, a_terminal_line_is_redrawn_cut_and_wiped) {
  std::ostringstream out;
  {
    const auto progress = terminal_progress(out, 20);
    progress->begin("short");
    progress->begin("a step with a very long name");
  }
  EXPECT_EQ(out.str(), "\rshort\033[K\ra step with a very \033[K\r\033[K");
}

TEST(Progress, updates_are_throttled) {
  std::ostringstream out;
  const auto progress = terminal_progress(out, 80);
  progress->begin("evaluating");
  for (size_t i = 0; i < 1000; ++i) {
    progress->advance(i, 1000);
  }
  EXPECT_LT(out.str().size(), 200u);
}

}  // namespace
}  // namespace portwright::base

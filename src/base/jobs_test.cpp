#include "base/jobs.h"

#include <gtest/gtest.h>

#include <atomic>
#include <vector>

namespace portwright::base {
namespace {

TEST(Jobs, every_index_once_and_no_more_than_allowed_together) {
  std::vector<std::atomic<int>> calls(50);
  std::vector<std::atomic<int>> busy(3);
  run_jobs(calls.size(), busy.size(), [&](size_t slot, size_t index) {
    EXPECT_EQ(++busy[slot], 1);
    ++calls[index];
    --busy[slot];
  });
  for (const auto& count : calls) {
    EXPECT_EQ(count, 1);
  }
}

TEST(Jobs, at_least_one_and_at_most_one_a_core) {
  EXPECT_GE(jobs_at_once(1), 1u);
  EXPECT_EQ(jobs_at_once(size_t{1} << 60), 1u);
}

TEST(Jobs, none_is_no_work) {
  run_jobs(0, 4, [](size_t, size_t) { FAIL(); });
}

}  // namespace
}  // namespace portwright::base

#include "base/machine.h"

#include <gtest/gtest.h>

#include "base/paths.h"

namespace portwright::base {
namespace {

TEST(Machine, AProcessMayUseNoMoreThanThereIs) {
  EXPECT_GT(usable_memory(), 0u);
  EXPECT_LE(usable_memory(), this_machine().memory_bytes);
}

TEST(Machine, FoldersThatLieInMemoryAreKnown) {
  std::error_code ignored;
  if (std::filesystem::is_directory("/dev/shm", ignored)) {
    EXPECT_TRUE(lies_in_memory("/dev/shm"));
  }
  EXPECT_FALSE(lies_in_memory("/nowhere/at/all"));
}

}  // namespace
}  // namespace portwright::base

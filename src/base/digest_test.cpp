#include "base/digest.h"

#include <gtest/gtest.h>

#include "base/machine.h"
#include "base/paths.h"

namespace portwright::base {
namespace {

TEST(Digest, tells_contents_apart) {
  EXPECT_EQ(digest_of(""), "cbf29ce484222325");
  EXPECT_EQ(digest_of("a"), "af63dc4c8601ec8c");
  EXPECT_EQ(Digest().add("a").add("b").text(), digest_of("ab"));
}

TEST(Digest, of_a_file_depends_on_each_byte) {
  const auto folder = TemporaryDirectory::create("digest");
  ASSERT_TRUE(folder);
  const auto path = folder->path() / "weights";
  std::string bytes(3u << 20, 'x');
  ASSERT_TRUE(write_file(path, bytes));
  const auto before = digest_of_file(path);
  ASSERT_TRUE(before);
  bytes[bytes.size() / 2] = 'y';
  ASSERT_TRUE(write_file(path, bytes));
  EXPECT_NE(*digest_of_file(path), *before);
  EXPECT_FALSE(digest_of_file(folder->path() / "absent"));
}

TEST(Machine, is_known) {
  const auto machine = this_machine();
  EXPECT_FALSE(machine.system.empty());
  EXPECT_FALSE(machine.architecture.empty());
  EXPECT_GE(machine.cores, 1u);
  EXPECT_GT(machine.memory_bytes, 0u);
}

}  // namespace
}  // namespace portwright::base

#include "base/paths.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdlib>

namespace portwright::base {
namespace {

using testing::HasSubstr;

class PathsTest : public testing::Test {
 protected:
  size_t entries() const {
    return static_cast<size_t>(std::distance(
        fs::directory_iterator(folder_.path()), fs::directory_iterator()));
  }

  TemporaryDirectory folder_ = *TemporaryDirectory::create("portwright-test");
};

TEST_F(PathsTest, writes_and_reads_back) {
  const fs::path path = folder_.path() / "deep" / "er" / "file";
  ASSERT_TRUE(write_file(path, "one"));
  ASSERT_TRUE(write_file(path, "two"));
  EXPECT_EQ(*read_file(path), "two");
}

TEST_F(PathsTest, without_commit_nothing_is_left) {
  {
    auto file = AtomicFile::create(folder_.path() / "file");
    ASSERT_TRUE(file);
    ASSERT_TRUE(file->write("half"));
    EXPECT_EQ(entries(), 1u);
  }
  EXPECT_EQ(entries(), 0u);
}

TEST_F(PathsTest, a_missing_file_is_an_error_with_its_name) {
  const auto text = read_file(folder_.path() / "absent");
  ASSERT_FALSE(text);
  EXPECT_THAT(text.error().message, HasSubstr("absent: No such file"));
}

TEST_F(PathsTest, a_directory_in_the_way_is_an_error) {
  fs::create_directory(folder_.path() / "taken");
  const auto wrote = write_file(folder_.path() / "taken", "x");
  ASSERT_FALSE(wrote);
  EXPECT_EQ(wrote.error().hint, "a directory has this name");
  EXPECT_FALSE(
      write_file(folder_.path() / "taken" / "x" / "y", "1") &&
      write_file(folder_.path() / "taken" / "x" / "y" / "z", "2"));
}

TEST_F(PathsTest, a_read_only_directory_is_an_error_with_a_hint) {
  if (::geteuid() == 0) {
    GTEST_SKIP() << "root writes anywhere";
  }
  fs::permissions(
      folder_.path(), fs::perms::owner_read | fs::perms::owner_exec);
  const auto wrote = write_file(folder_.path() / "file", "x");
  fs::permissions(folder_.path(), fs::perms::owner_all);
  ASSERT_FALSE(wrote);
  EXPECT_THAT(wrote.error().hint, HasSubstr("permissions"));
}

TEST_F(PathsTest, the_cache_follows_xdg) {
  const char* old = std::getenv("XDG_CACHE_HOME");
  const std::string saved = old ? old : "";
  ::setenv("XDG_CACHE_HOME", folder_.path().c_str(), 1);
  const auto cache = cache_directory();
  old ? ::setenv("XDG_CACHE_HOME", saved.c_str(), 1)
      : ::unsetenv("XDG_CACHE_HOME");
  ASSERT_TRUE(cache);
  EXPECT_EQ(*cache, folder_.path() / "portwright");
  EXPECT_TRUE(fs::is_directory(*cache));
}

}  // namespace
}  // namespace portwright::base

#include "emit/layout.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <sstream>
#include <vector>

namespace portwright::emit {
namespace {

struct Golden {
  std::string name;
  std::string input;
  std::string expected;
};

// The two blocks below each heading of a Markdown topic.
std::vector<Golden> read_goldens(const std::filesystem::path& path) {
  std::ifstream file(path);
  std::vector<Golden> out;
  std::vector<std::string> blocks;
  std::string heading;
  bool in_block = false;
  for (std::string line; std::getline(file, line);) {
    if (in_block && line == "```") {
      in_block = false;
      if (blocks.size() == 2) {
        out.push_back({heading, blocks[0], blocks[1]});
      }
    } else if (in_block) {
      blocks.back() += line + "\n";
    } else if (line.starts_with("#")) {
      heading = path.stem().string() + ": " + line;
      blocks.clear();
    } else if (line.starts_with("```")) {
      in_block = true;
      blocks.emplace_back();
    }
  }
  return out;
}

TEST(Layout, Goldens) {
  size_t count = 0;
  for (const auto& entry :
       std::filesystem::directory_iterator(PORTWRIGHT_TESTDATA "/layout")) {
    for (const Golden& golden : read_goldens(entry.path())) {
      const auto out = layout(golden.input);
      ASSERT_TRUE(out) << golden.name << ": " << out.error().message;
      EXPECT_EQ(*out, golden.expected) << golden.name;
      // What is laid out stays so.
      EXPECT_EQ(*layout(*out), *out) << golden.name;
      ++count;
    }
  }
  EXPECT_GT(count, 20u);
}

TEST(Layout, RefusesWhatIsNotPython) {
  const auto out = layout("def f(:\n");
  ASSERT_FALSE(out);
  EXPECT_NE(out.error().message.find("<emitted>:1:"), std::string::npos);
}

TEST(Layout, RefusesWhatItDoesNotServe) {
  const auto out = layout("x = 1\nmatch x:\n    case 1:\n        pass\n");
  ASSERT_FALSE(out);
  EXPECT_EQ(out.error().message, "<emitted>:2:1: layout does not serve this");
}

TEST(Layout, KeepsAnEmptyModule) {
  EXPECT_EQ(*layout(""), "");
  EXPECT_EQ(*layout("\n"), "\n");
}

}  // namespace
}  // namespace portwright::emit

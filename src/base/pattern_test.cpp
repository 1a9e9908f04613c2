#include "base/pattern.h"

#include <gtest/gtest.h>

#include "base/check.h"

namespace portwright::base {
namespace {

TEST(Pattern, finds_the_first_place_and_what_its_groups_took) {
  const std::string text = "a = self.b or self.c";
  const auto found = Pattern(R"re(self\.(\w+)( if)?)re").search(text);
  ASSERT_TRUE(found);
  EXPECT_EQ((*found)[0], "self.b");
  EXPECT_EQ((*found)[1], "b");
  EXPECT_EQ((*found)[2], "");
  EXPECT_EQ(found->before(), "a = ");
  EXPECT_EQ(found->after(), " or self.c");
}

TEST(Pattern, matches_a_text_as_a_whole) {
  const Pattern pattern(R"re(\w+ = \w+)re");
  EXPECT_TRUE(pattern.match("a = b"));
  EXPECT_FALSE(pattern.match("a = b + c"));
  EXPECT_FALSE(pattern.match("(a = b"));
}

TEST(Pattern, replaces_each_with_its_groups) {
  const Pattern pattern(R"re((^|\n)([ ]*)put\((\w+)\)(?=\n|$))re");
  EXPECT_EQ(
      pattern.replace("put(x)\n  put(y)\nput(z) + 1", "$1$2self.$3 = $3"),
      "self.x = x\n  self.y = y\nput(z) + 1");
  EXPECT_EQ(pattern.replace("nothing", "$1"), "nothing");
}

TEST(Pattern, finds_all_and_no_empty_ones) {
  std::string out;
  for (const auto& found : Pattern("[a-z]*").all("ab 1 c")) {
    out += found[0] + ";";
  }
  EXPECT_EQ(out, "ab;c;");
}

TEST(Pattern, takes_no_wrong_expression) {
  EXPECT_THROW(Pattern("("), InternalError);
}

}  // namespace
}  // namespace portwright::base

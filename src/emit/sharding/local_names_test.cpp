#include "emit/sharding/local_names.h"

#include <gmock/gmock.h>

namespace portwright::emit::sharding {
namespace {

using testing::ElementsAre;

Lines named(Lines lines) {
  use_local_names(lines, 12);
  return lines;
}

std::string split(const std::string& path) {
  return path + " = shard_linear(" + path +
         ", \"all-to-sharded\", group=group)";
}

TEST(LocalNames, StandForModulesWhereLinesBecomeFewer) {
  EXPECT_THAT(
      named({split("layer.self_attn.q_proj"), split("layer.self_attn.k_proj")}),
      ElementsAre(
          "attn = layer.self_attn",
          split("attn.q_proj"),
          split("attn.k_proj")));
}

TEST(LocalNames, AreNotWorthItForWhatFitsALine) {
  const Lines lines{split("layer.a.q"), split("layer.a.k")};
  EXPECT_EQ(named(lines), lines);
}

TEST(LocalNames, AreMadeWhereTheModuleIs) {
  const std::string indent = "    ";
  EXPECT_THAT(
      named(
          {"if \"self_attn\" in layer:",
           indent + split("layer.self_attn.q_proj"),
           indent + split("layer.self_attn.k_proj"),
           split("layer.fc")}),
      ElementsAre(
          "if \"self_attn\" in layer:",
          indent + "attn = layer.self_attn",
          indent + split("attn.q_proj"),
          indent + split("attn.k_proj"),
          split("layer.fc")));
}

TEST(LocalNames, AreNotThoseOfOtherThings) {
  const Lines lines{
      split("layer.group.a_long_projection"),
      split("layer.group.another_projection"),
      split("layer.group.one_more_projection")};
  EXPECT_EQ(named(lines), lines);
}

TEST(LocalNames, DoNotStandForWhatIsGivenAnew) {
  const std::string path = "layer.a_projection_with_quite_a_long_name";
  const Lines lines{split(path), split(path), path + ".x.apply(f)"};
  EXPECT_EQ(named(lines), lines);
}

}  // namespace
}  // namespace portwright::emit::sharding

#include "emit/config_class.h"

#include <gtest/gtest.h>

#include "eval/interpreter.h"

namespace portwright::emit {
namespace {

TEST(ConfigStatement, MayHaveVariablesOfItsOwn) {
  const auto s = statement_of(
      "if self.kinds is None:\n"
      "    every = 4\n"
      "    self.kinds = [i % every for i in range(self.layers)]\n");
  EXPECT_TRUE(s.self_contained);
  EXPECT_TRUE(s.assigned.contains("kinds"));
  EXPECT_TRUE(s.fields.contains("layers"));
}

TEST(ConfigStatement, MayReadVariablesOfStatementsBefore) {
  EXPECT_FALSE(statement_of("self.n = first + 1").self_contained);
  const auto s = statement_of("self.n = first + 1", {"first"});
  EXPECT_TRUE(s.self_contained);
  const bool reads_variable =
      std::any_of(s.fields.begin(), s.fields.end(), is_variable);
  EXPECT_TRUE(reads_variable);
}

TEST(ConfigStatement, ReadsWhatAFormattedTextMentions) {
  const std::string start = "if self.a:\n    raise ValueError(f\"a is ";
  EXPECT_TRUE(statement_of(start + "{self.a}\")").self_contained);
  EXPECT_FALSE(statement_of(start + "{unknown}\")").self_contained);
}

TEST(ConfigStatement, AssignsAnItem) {
  EXPECT_TRUE(
      statement_of("self.kinds[-1] = 'full'").assigned.contains("kinds"));
}

TEST(ConfigClass, KnowsWhatItGivesWhateverTheFileHolds) {
  eval::Interpreter interp;
  const eval::Value module(interp.run_source("config", "config.py", R"py(
class Config:
    attribute_map = {"depth": "width_of_heads"}
    heads: int = 4
    groups: int | None = None
    width: int | None = None
    def __post_init__(self, **kwargs):
        self.width_of_heads = 2 * self.size // self.heads
        self.width = self.width or self.size
        if self.groups is None:
            self.groups = self.heads
)py"));
  const eval::Value held = interp.getattr(module, "Config");
  const auto& cls = *held.get<eval::Class>();
  EXPECT_TRUE(is_always_given(cls, "heads"));
  EXPECT_TRUE(is_always_given(cls, "width_of_heads"));
  EXPECT_TRUE(is_always_given(cls, "depth"));
  EXPECT_FALSE(is_always_given(cls, "width"));
  EXPECT_FALSE(is_always_given(cls, "groups"));
}

}  // namespace
}  // namespace portwright::emit

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

constexpr char kInitialised[] = R"py(
class Base:
    def __init__(self, *, tied: bool = True, labels: int | None = None, **kwargs):
        self.tied = tied
        for key, value in kwargs.items():
            setattr(self, key, value)

class Config(Base):
    def __init__(self, heads=4, groups=None, width=64, window=8, slides=False,
                 rotary_base=10000, **kwargs):
        if groups is None:
            groups = heads
        self.heads = heads
        self.groups = groups
        self.width = width
        self.window = window if slides else None
        self.slides = slides
        self.twice = 2 * window
        self.head_dim = width // heads
        super().__init__(**kwargs)
        self._pattern = kwargs.get("pattern", 6)
        self.pattern = getattr(self, "pattern", 3)
)py";

TEST(ConfigClass, ReadsTheFieldsOfAnInit) {
  eval::Interpreter interp;
  const eval::Value module(
      interp.run_source("config", "config.py", kInitialised));
  const eval::Value held = interp.getattr(module, "Config");
  const auto& cls = *held.get<eval::Class>();
  EXPECT_EQ(config_field(cls, "heads").default_value.as_int(), 4);
  EXPECT_EQ(config_field(cls, "heads").annotation, "int | None");
  EXPECT_TRUE(config_field(cls, "heads").inferred);
  EXPECT_TRUE(config_field(cls, "groups").default_value.is_none());
  EXPECT_TRUE(config_field(cls, "tied").default_value.as_bool());
  EXPECT_EQ(config_field(cls, "labels").annotation, "int | None");
  EXPECT_FALSE(config_field(cls, "labels").inferred);
  EXPECT_EQ(config_field(cls, "pattern").default_value.as_int(), 6);
  EXPECT_EQ(declared_fields(cls).front(), "heads");
  EXPECT_EQ(declared_fields(cls).back(), "labels");
  EXPECT_FALSE(is_always_given(cls, "heads"));  // null is taken too
}

TEST(ConfigClass, KnowsWhatTheBaseClassTakes) {
  eval::Interpreter interp;
  const eval::Value module(interp.run_source("config", "config.py", R"py(
class Base:
    def __init__(self, **kwargs):
        self.tied = kwargs.pop("tied", True)
        self.pad = kwargs.pop("pad", None)
class Config(Base):
    def __init__(self, size=4, **kwargs):
        self.size = size
        super().__init__(**kwargs)
)py"));
  const eval::Value held = interp.getattr(module, "Config");
  const auto& cls = *held.get<eval::Class>();
  EXPECT_TRUE(config_field(cls, "tied").default_value.as_bool());
  EXPECT_FALSE(config_field(cls, "pad").default_value.defined());
}

TEST(ConfigClass, ReadsTheStatementsOfAnInitInTermsOfFields) {
  eval::Interpreter interp;
  const eval::Value module(
      interp.run_source("config", "config.py", kInitialised));
  const eval::Value held = interp.getattr(module, "Config");
  std::vector<std::string> texts;
  for (const auto& s : config_statements(*held.get<eval::Class>())) {
    // self.twice: the parameter is no longer what the field says.
    EXPECT_EQ(s.self_contained, !s.assigned.contains("twice")) << s.text;
    if (s.self_contained) {
      texts.push_back(s.text);
      EXPECT_EQ(s.past_super, s.assigned.contains("pattern")) << s.text;
    }
  }
  const std::vector<std::string> expected{
      "if self.groups is None:\n    self.groups = self.heads",
      "self.window = self.window if self.slides else None",
      "self.head_dim = self.width // self.heads"};
  EXPECT_EQ(texts, expected);
}

}  // namespace
}  // namespace portwright::emit

#include "emit/config_text.h"

#include <gtest/gtest.h>

#include "eval/interpreter.h"

namespace portwright::emit {
namespace {

/// A statement of the __post_init__ of a config class, as fields.
std::string translated(const std::string& text) {
  eval::Interpreter interp;
  const eval::Value module(interp.run_source("config", "config.py", R"py(
_LEGACY_LAYER_TYPE_REMAP = {"old": "new"}
def remap_legacy_layer_types(kinds):
    return [_LEGACY_LAYER_TYPE_REMAP.get(k, k) for k in kinds]
class Config:
    attribute_map = {"layer_types": "block_types"}
    def __post_init__(self, **kwargs):
        pass
    @staticmethod
    def _listed(pattern):
        names = {"M": "mamba"}
        return [names[char] for char in pattern]
    @staticmethod
    def _looked_up(pattern):
        return open(pattern).read()
)py"));
  const eval::Value cls = interp.getattr(module, "Config");
  const eval::Value hook = interp.getattr(cls, "__post_init__");
  return in_fields(*cls.get<eval::Class>(), *hook.get<eval::Function>(), text);
}

TEST(ConfigText, ReadsKeysTakenFromKwargsAsFields) {
  EXPECT_EQ(
      translated("if \"pattern\" in kwargs:\n"
                 "    text = kwargs.pop(\"pattern\")\n"
                 "    self.size = len(text)\n"),
      "if self.pattern is not None:\n"
      "    self.size = len(self.pattern)\n");
  EXPECT_EQ(
      translated("self.a = kwargs.pop('b', None) if 'b' in kwargs else 3"),
      "self.a = self.b if self.b is not None else 3");
}

TEST(ConfigText, LeavesTheDefaultOfATakenKeyToItsField) {
  EXPECT_EQ(
      translated("if self.kinds is None:\n"
                 "    every = kwargs.pop('every', 4)\n"
                 "    self.kinds = [i % every for i in range(self.n)]\n"),
      "if self.kinds is None:\n"
      "    self.kinds = [i % self.every for i in range(self.n)]\n");
}

TEST(ConfigText, TestsWithoutMakingATruthFirst) {
  EXPECT_EQ(
      translated("self.a = 1 if bool((self.b + 1) % self.c) else 2"),
      "self.a = 1 if (self.b + 1) % self.c else 2");
  const std::string mixed = "self.a = 1 if bool(self.b or self.c) and d else 2";
  EXPECT_EQ(translated(mixed), mixed);
}

TEST(ConfigText, LeavesAKeyWhoseDefaultIsComputed) {
  const std::string text = "self.size = kwargs.pop('block_size', self.size)";
  EXPECT_EQ(translated(text), text);
}

TEST(ConfigText, WritesOtherNamesAsTheFieldTheyAre) {
  EXPECT_EQ(
      translated("self.layer_types = self.layer_types or []"),
      "self.block_types = self.block_types or []");
}

TEST(ConfigText, PutsStaticMethodsInPlace) {
  EXPECT_EQ(
      translated("self.kinds = self._listed(self.pattern)"),
      "self.kinds = [{\"M\": \"mamba\"}[char] for char in self.pattern]");
  EXPECT_EQ(
      translated("self.kinds = self._looked_up(self.pattern)"),
      "self.kinds = open(self.pattern).read()");
}

TEST(ConfigText, RenamesKindsOfLayersByTheLibrarysTable) {
  EXPECT_EQ(
      translated("self.kinds = remap_legacy_layer_types(self.kinds)"),
      "self.kinds = [{\"old\": \"new\"}.get(kind, kind) for kind in "
      "self.kinds]");
}

}  // namespace
}  // namespace portwright::emit

#include "emit/turns.h"

#include <gmock/gmock.h>

namespace portwright::emit {
namespace {

using testing::ElementsAre;
using testing::Optional;
using Lines = std::vector<std::string>;

/// Turns of one statement each.
Turns turns_of(const Lines& lines) {
  Turns out;
  for (const std::string& line : lines) {
    out.lines.push_back({line});
  }
  out.index = "i";
  return out;
}

TEST(Turns, ReadTheSameInEveryTurn) {
  EXPECT_THAT(
      rolled(turns_of({"h = self.norm(h, 2)", "h = self.norm(h, 2)"})),
      Optional(ElementsAre("h = self.norm(h, 2)")));
}

TEST(Turns, CountByTheIndex) {
  EXPECT_THAT(
      rolled(turns_of({"h = h * self.w[0] + 1", "h = h * self.w[1] + 1"})),
      Optional(ElementsAre("h = h * self.w[i] + 1")));
  EXPECT_EQ(rolled(turns_of({"h = h * 2", "h = h * 4"})), std::nullopt);
  // Nothing tells in terms of the config where it begins.
  EXPECT_EQ(rolled(turns_of({"h = h * 2", "h = h * 3"})), std::nullopt);
}

TEST(Turns, DifferInNothingElse) {
  EXPECT_EQ(rolled(turns_of({"h = self.a(h)", "h = self.b(h)"})), std::nullopt);
  EXPECT_EQ(rolled(turns_of({"h = f(h)", "h = f(h, h)"})), std::nullopt);
}

TEST(Turns, PickLayersAsTheSourceDoes) {
  const auto layer = [](int64_t n, const std::string& text) {
    return "h = self.layers[" + pick_mark(n, text) + "](h)";
  };
  EXPECT_THAT(
      rolled(turns_of({layer(0, ""), layer(1, "")})),
      Optional(ElementsAre("h = self.layers[i](h)")));
  EXPECT_THAT(
      rolled(turns_of({layer(0, "i // 2"), layer(0, "i // 2")})),
      Optional(ElementsAre("h = self.layers[i // 2](h)")));
  EXPECT_EQ(rolled(turns_of({layer(0, ""), layer(2, "")})), std::nullopt);
}

TEST(Turns, ReadElementsFromEitherEnd) {
  const auto state = [](size_t number, size_t length) {
    return "h = h + " + element_mark("states", number, length);
  };
  EXPECT_THAT(
      rolled(turns_of({state(0, 3), state(1, 3)})),
      Optional(ElementsAre("h = h + states[i]")));
  EXPECT_THAT(
      rolled(turns_of({state(2, 3), state(1, 3)})),
      Optional(ElementsAre("h = h + states[-1 - i]")));
  EXPECT_THAT(
      rolled(turns_of({state(1, 3), state(2, 4)})),
      Optional(ElementsAre("h = h + states[-2]")));
  EXPECT_THAT(outside_loops({state(1, 3)}), ElementsAre("h = h + states[1]"));
}

TEST(Turns, CallOneValueByTheNameItHasLater) {
  Turns turns = turns_of({"h = f(h, h)", "h = f(h, first)"});
  EXPECT_EQ(rolled(turns), std::nullopt);
  turns.aliases = {"h", "first"};
  EXPECT_THAT(rolled(turns), Optional(ElementsAre("h = f(h, first)")));
}

}  // namespace
}  // namespace portwright::emit

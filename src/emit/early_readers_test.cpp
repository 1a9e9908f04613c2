#include "emit/early_readers.h"

#include <gmock/gmock.h>

namespace portwright::emit {
namespace {

using testing::ElementsAre;

Lines with_fewest(const Lines& lines) {
  return with_fewest_names({"self", "x: mx.array", "cache=None"}, lines);
}

TEST(EarlyReaders, GoBeforeTheNewValueOfTheName) {
  EXPECT_THAT(
      with_fewest(
          {"keys = self.k_proj(x)",
           "keys2 = self.k_norm(keys)",
           "values = mx.fast.rms_norm(keys, None, self.eps)",
           "return attend(keys2, values)"}),
      ElementsAre(
          "keys = self.k_proj(x)",
          "values = mx.fast.rms_norm(keys, None, self.eps)",
          "keys = self.k_norm(keys)",
          "return attend(keys, values)"));
}

TEST(EarlyReaders, StayWhereTheyReadTheNewValueToo) {
  const Lines lines{
      "keys = self.k_proj(x)",
      "keys2 = self.k_norm(keys)",
      "values = keys * keys2",
      "return attend(keys2, values)"};
  EXPECT_EQ(with_fewest(lines), lines);
}

TEST(EarlyReaders, StayWhereWhatIsBetweenMakesWhatTheyRead) {
  const Lines lines{
      "keys = self.k_proj(x)",
      "keys2 = self.k_norm(keys)",
      "gate = self.gate(keys2)",
      "values = keys * gate",
      "return attend(keys2, values)"};
  EXPECT_EQ(with_fewest(lines), lines);
}

TEST(EarlyReaders, StayBehindACache) {
  const Lines lines{
      "keys = self.k_proj(x)",
      "keys2 = self.k_norm(keys)",
      "keys2 = cache.update_and_fetch(keys2)",
      "values = cache.update_and_fetch(keys)",
      "return attend(keys2, values)"};
  EXPECT_EQ(with_fewest(lines), lines);
}

TEST(EarlyReaders, NumbersHaveNoGaps) {
  EXPECT_THAT(
      with_fewest({"h = x * 2", "h4 = self.norm(h)", "return h + h4"}),
      ElementsAre("h = x * 2", "h2 = self.norm(h)", "return h + h2"));
}

}  // namespace
}  // namespace portwright::emit

#include "emit/named_offset.h"

#include <gmock/gmock.h>

namespace portwright::emit {
namespace {

using testing::ElementsAre;

TEST(NamedOffset, RotatesOnceForACacheAndForNone) {
  EXPECT_THAT(
      with_named_offset(
          {"B, L, _ = x.shape",
           "",
           "keys = self.k_proj(x)",
           "if cache is not None:",
           "    keys = self.rope(keys, offset=cache.offset)",
           "    keys, values = cache.update_and_fetch(keys, values)",
           "else:",
           "    keys = self.rope(keys)",
           "return keys"}),
      ElementsAre(
          "B, L, _ = x.shape",
          "",
          kNamedOffset,
          "keys = self.k_proj(x)",
          "keys = self.rope(keys, offset=offset)",
          "if cache is not None:",
          "    keys, values = cache.update_and_fetch(keys, values)",
          "return keys"));
}

TEST(NamedOffset, WhatRotatesNoneHasItToo) {
  EXPECT_THAT(
      with_named_offset(
          {"if cache is not None:",
           "    keys, values = cache.update_and_fetch(keys, values)",
           "return keys"}),
      ElementsAre(
          kNamedOffset,
          "if cache is not None:",
          "    keys, values = cache.update_and_fetch(keys, values)",
          "return keys"));
}

TEST(NamedOffset, WhatDoesMoreThanRotateStays) {
  const Lines lines{
      "if cache is not None:",
      "    keys = self.rope(keys, offset=cache.offset)",
      "    keys, values = cache.update_and_fetch(keys, values)",
      "else:",
      "    keys = self.rope(keys)",
      "    values = values * 2",
      "return keys"};
  EXPECT_EQ(with_named_offset(lines), lines);
}

}  // namespace
}  // namespace portwright::emit

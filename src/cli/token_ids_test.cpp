#include "cli/token_ids.h"

#include <gtest/gtest.h>

namespace portwright::cli {
namespace {

TEST(TokenIds, ReadsRowsAndColumns) {
  const auto ids = parse_ids("--ids", "1, 2;0,300");
  ASSERT_TRUE(ids);
  EXPECT_EQ(ids->rows, 2);
  EXPECT_EQ(ids->columns, 2);
  EXPECT_EQ(ids->values, (std::vector<int64_t>{1, 2, 0, 300}));
}

TEST(TokenIds, RefusesWhatIsNoId) {
  for (const char* text : {"", "1,,2", "1,x", "-1", "1,2;", "1;2,3", "1.5"}) {
    EXPECT_FALSE(parse_ids("--ids", text)) << text;
  }
}

TEST(TokenIds, MaskHasTheShapeOfTheIds) {
  const auto ids = parse_ids("--ids", "1,2;0,3");
  EXPECT_TRUE(parse_mask("--mask", "1,1;0,1", *ids));
  EXPECT_FALSE(parse_mask("--mask", "1,1", *ids));
  EXPECT_FALSE(parse_mask("--mask", "1,1;0,2", *ids));
}

}  // namespace
}  // namespace portwright::cli

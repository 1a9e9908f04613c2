#include "verify/arrays.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

namespace portwright::verify {
namespace {

TEST(Compare, IsRelativeToTheLargestOfTheReference) {
  const Array a{{1, 3, 2}, {1, 2, 3, 4, 5, 8}};
  const Array b{{1, 3, 2}, {1, 2, 3, 4, 5, 10}};
  const auto difference = compare(a, b);
  ASSERT_TRUE(difference);
  EXPECT_DOUBLE_EQ(difference->relative, 0.2);
  EXPECT_EQ(difference->position, 2);
  EXPECT_EQ(difference->per_position, (std::vector<double>{0, 0, 0.2}));
}

TEST(Compare, NamesTheFirstPositionThatIsWrong) {
  const Array a{{3, 1}, {1, 1.5, 3}};
  const Array b{{3, 1}, {1, 1, 1}};
  EXPECT_EQ(compare(a, b)->position, 1);
}

TEST(Compare, TakesTokensAsRowsButNoSwappedAxes) {
  const Array rows{{6, 2}, std::vector<float>(12, 1)};
  const Array batch{{2, 3, 2}, std::vector<float>(12, 1)};
  const Array swapped{{3, 2, 2}, std::vector<float>(12, 1)};
  EXPECT_TRUE(compare(rows, batch));
  EXPECT_FALSE(compare(swapped, batch));
  EXPECT_FALSE(compare({{1}, {1}}, batch));
}

TEST(Compare, WhatIsNotFiniteOnOneSideOnlyIsInfinitelyWrong) {
  const float nan = std::numeric_limits<float>::quiet_NaN();
  EXPECT_TRUE(
      std::isinf(compare({{2, 1}, {1, nan}}, {{2, 1}, {1, 1}})->relative));
  EXPECT_EQ(compare({{2, 1}, {1, nan}}, {{2, 1}, {1, nan}})->relative, 0);
}

TEST(Slices, CutPositionsAndRows) {
  const Array a{{2, 3, 1}, {1, 2, 3, 4, 5, 6}};
  EXPECT_EQ(slice_positions(a, 1, 3).values, (std::vector<float>{2, 3, 5, 6}));
  EXPECT_EQ(row(a, 1).values, (std::vector<float>{4, 5, 6}));
  EXPECT_EQ(row(a, 1).shape, (std::vector<int64_t>{1, 3, 1}));
}

TEST(Slices, CutTheFirstFeatures) {
  const Array a{{2, 3}, {1, 2, 3, 4, 5, 6}};
  EXPECT_EQ(first_features(a, 2).values, (std::vector<float>{1, 2, 4, 5}));
  EXPECT_EQ(first_features(a, 2).shape, (std::vector<int64_t>{2, 2}));
  EXPECT_EQ(first_features(a, 4).values, a.values);
}

}  // namespace
}  // namespace portwright::verify

#include "torch/views.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <mlx/mlx.h>

namespace portwright::torch {
namespace {

using ::testing::ElementsAre;
using ::testing::Optional;

Storage counting(int n) {
  return {mx::arange(n), {n}, {1}};
}

std::vector<int> elements(const mx::array& array) {
  mx::array a = mx::contiguous(array);
  mx::eval(a);
  return {a.data<int>(), a.data<int>() + a.size()};
}

TEST(Views, AViewNeedsEvenRunsOfMemory) {
  // A transposed (4, 3).
  EXPECT_EQ(view_strides({4, 3}, {1, 4}, {12}), std::nullopt);
  EXPECT_THAT(
      view_strides({4, 3}, {1, 4}, {2, 2, 3}), Optional(ElementsAre(2, 1, 4)));
  EXPECT_THAT(view_strides({4, 3}, {3, 1}, {12}), Optional(ElementsAre(1)));
  EXPECT_THAT(
      view_strides({2, 1, 6}, {12, 7, 2}, {12, 1}),
      Optional(ElementsAre(2, 2)));
}

TEST(Views, ExpandedTensorsOverlap) {
  EXPECT_TRUE(overlaps({3, 4}, {1, 0}));
  EXPECT_FALSE(overlaps({3, 1}, {1, 0}));
  EXPECT_TRUE(overlaps({3, 2}, {1, 1}));  // windows
  EXPECT_FALSE(overlaps({3, 4}, {8, 2}));
}

TEST(Views, DenseMeansEveryElementOnce) {
  EXPECT_TRUE(is_dense({3, 4}, {1, 3}));
  EXPECT_FALSE(is_dense({3, 4}, {8, 2}));
  EXPECT_TRUE(is_dense({3, 1, 4}, {4, 99, 1}));
}

TEST(Views, ElementwiseResultsKeepTheOperandsOrder) {
  EXPECT_THAT(
      elementwise_strides({4, 3}, {{{4, 3}, {1, 4}}}), ElementsAre(1, 4));
  EXPECT_THAT(
      elementwise_strides({4, 3}, {{{4, 3}, {1, 4}}, {{4, 3}, {3, 1}}}),
      ElementsAre(1, 4));
  EXPECT_THAT(
      elementwise_strides({4, 3}, {{{4, 3}, {1, 0}}, {{3}, {1}}}),
      ElementsAre(3, 1));
}

TEST(Views, WindowsReadWhatStrideSays) {
  const Storage storage = counting(12);
  EXPECT_THAT(
      elements(read_window(storage, {2, 2}, {6, 2}, 1)),
      ElementsAre(1, 3, 7, 9));
}

TEST(Views, ABoxIsWrittenInPlace) {
  Storage storage = counting(12);
  // Every other element of the second row of (2, 6).
  write_window(storage, {3}, {2}, 6, mx::array({-1, -2, -3}));
  EXPECT_THAT(
      elements(read_window(storage, {12}, {1}, 0)),
      ElementsAre(0, 1, 2, 3, 4, 5, -1, 7, -2, 9, -3, 11));
}

TEST(Views, ADiagonalIsWrittenByIndex) {
  Storage storage = counting(9);
  write_window(storage, {3}, {4}, 0, mx::array({-1, -2, -3}));
  EXPECT_THAT(
      elements(read_window(storage, {3, 3}, {3, 1}, 0)),
      ElementsAre(-1, 1, 2, 3, -2, 5, 6, 7, -3));
}

TEST(Views, ATransposedStorageIsReadInMemoryOrder) {
  Storage storage = counting(6);
  write_window(
      storage,
      {3, 2},
      {1, 3},
      0,
      mx::reshape(mx::array({0, 10, 20, 30, 40, 50}), {3, 2}));
  EXPECT_THAT(
      elements(read_window(storage, {6}, {1}, 0)),
      ElementsAre(0, 20, 40, 10, 30, 50));
}

}  // namespace
}  // namespace portwright::torch

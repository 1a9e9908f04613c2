#include "emit/rope_forms.h"

#include <gtest/gtest.h>
#include <cmath>

namespace portwright::emit {
namespace {

RopeParameters yarn() {
  RopeParameters p;
  p.type = "yarn";
  p.factor = 4;
  p.original = 64;
  p.max_positions = 256;
  return p;
}

TEST(RopeForms, BothDoAPlainYarn) {
  EXPECT_TRUE(
      agree(*shared_rotation(yarn(), 32), *local_rotation(yarn(), 32, 1)));
}

TEST(RopeForms, TheSharedOneAlwaysTruncates) {
  auto p = yarn();
  p.truncate = false;
  EXPECT_FALSE(shared_rotation(p, 32));
  EXPECT_FALSE(agree(*local_rotation(p, 32, 1), *shared_rotation(yarn(), 32)));
  p.truncate = true;
  EXPECT_TRUE(agree(*shared_rotation(p, 32), *shared_rotation(yarn(), 32)));
}

TEST(RopeForms, OneMscaleCountsBesideTheOtherAlone) {
  auto p = yarn();
  p.mscale = 0.7;
  EXPECT_TRUE(agree(*shared_rotation(p, 32), *shared_rotation(yarn(), 32)));
  p.mscale_all_dim = 0.5;
  EXPECT_FALSE(agree(*shared_rotation(p, 32), *shared_rotation(yarn(), 32)));
  EXPECT_TRUE(agree(*shared_rotation(p, 32), *local_rotation(p, 32, 1)));
}

TEST(RopeForms, AnAttentionFactorStandsAboveThem) {
  auto p = yarn();
  p.attention_factor = 1.5;
  p.mscale = p.mscale_all_dim = 0.7;
  EXPECT_EQ(shared_rotation(p, 32)->magnitude, 1.5);
  EXPECT_EQ(local_rotation(p, 32, 1)->magnitude, 1.5);
  p.factor = 1;  // which has no logarithm to scale
  EXPECT_FALSE(shared_rotation(p, 32));
}

TEST(RopeForms, LongRopeChangesPastTheOriginalLength) {
  RopeParameters p;
  p.type = "longrope";
  p.original = 32;
  p.max_positions = 128;
  p.short_factor = {1, 2};
  p.long_factor = {4, 8};
  EXPECT_FALSE(shared_rotation(p, 4));
  EXPECT_EQ(rope_threshold(p), 32);
  const auto near = *local_rotation(p, 4, 32), far = *local_rotation(p, 4, 33);
  EXPECT_DOUBLE_EQ(near.frequencies[1], 0.01 / 2);
  EXPECT_DOUBLE_EQ(far.frequencies[1], 0.01 / 8);
  EXPECT_DOUBLE_EQ(
      near.magnitude, std::sqrt(1 + std::log(4.0) / std::log(32.0)));
  p.attention_factor = 1.25;
  EXPECT_DOUBLE_EQ(local_rotation(p, 4, 33)->magnitude, 1.25);
}

TEST(RopeForms, DynamicGrowsWithTheSequence) {
  RopeParameters p;
  p.type = "dynamic";
  p.factor = 2;
  p.max_positions = 16;
  EXPECT_FALSE(shared_rotation(p, 4));
  EXPECT_TRUE(agree(*local_rotation(p, 4, 3), *local_rotation(p, 4, 16)));
  // base * (2 * 24 / 16 - 1) ** (4 / 2)
  EXPECT_DOUBLE_EQ(
      local_rotation(p, 4, 24)->frequencies[1], std::pow(40000, -0.5));
}

TEST(RopeForms, ProportionalLeavesTheRestUnturned) {
  RopeParameters p;
  p.type = "proportional";
  p.partial = 0.5;
  EXPECT_EQ(
      shared_rotation(p, 8)->frequencies, (std::vector<double>{1, 0.1, 0, 0}));
}

}  // namespace
}  // namespace portwright::emit

#include "torch/promotion.h"

#include <gtest/gtest.h>

namespace portwright::torch {
namespace {

using eval::Value;

Dtype joined(
    std::initializer_list<std::pair<Dtype, bool>> tensors,
    std::initializer_list<Value> numbers = {}) {
  ResultType types(Dtype::Float32);
  for (const auto& [dtype, has_axes] : tensors) {
    types.add(dtype, has_axes);
  }
  for (const Value& number : numbers) {
    types.add_number(number);
  }
  return types.result().value();
}

TEST(Promotion, HalvesMeetInFloat32) {
  EXPECT_EQ(promote_types(Dtype::Float16, Dtype::BFloat16), Dtype::Float32);
  EXPECT_EQ(promote_types(Dtype::BFloat16, Dtype::Int64), Dtype::BFloat16);
  EXPECT_EQ(promote_types(Dtype::UInt8, Dtype::Int8), Dtype::Int16);
  EXPECT_EQ(promote_types(Dtype::Bool, Dtype::UInt8), Dtype::UInt8);
}

TEST(Promotion, TypesThatDoNotMeet) {
  EXPECT_EQ(promote_types(Dtype::Float8E4M3, Dtype::Float32), std::nullopt);
  EXPECT_EQ(promote_types(Dtype::UInt16, Dtype::Int8), std::nullopt);
}

TEST(Promotion, NumbersOnlyRaiseTheCategory) {
  EXPECT_EQ(
      joined({{Dtype::BFloat16, true}}, {Value::real(0.5)}), Dtype::BFloat16);
  EXPECT_EQ(joined({{Dtype::Int32, true}}, {Value::integer(1)}), Dtype::Int32);
  EXPECT_EQ(joined({{Dtype::Int32, true}}, {Value::real(0.5)}), Dtype::Float32);
  EXPECT_EQ(joined({{Dtype::Bool, true}}, {Value::integer(1)}), Dtype::Int64);
}

TEST(Promotion, TensorsWithoutAxesRankBelowThoseWithThem) {
  EXPECT_EQ(
      joined({{Dtype::BFloat16, true}, {Dtype::Float32, false}}),
      Dtype::BFloat16);
  EXPECT_EQ(
      joined({{Dtype::Int64, true}, {Dtype::BFloat16, false}}),
      Dtype::BFloat16);
}

TEST(Promotion, WritingMayNotLoseACategory) {
  EXPECT_FALSE(can_cast(Dtype::Float32, Dtype::Int64));
  EXPECT_FALSE(can_cast(Dtype::Int64, Dtype::Bool));
  EXPECT_TRUE(can_cast(Dtype::Int64, Dtype::Float16));
  EXPECT_TRUE(can_cast(Dtype::Float32, Dtype::BFloat16));
}

}  // namespace
}  // namespace portwright::torch

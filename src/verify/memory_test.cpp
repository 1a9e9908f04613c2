#include "verify/memory.h"

#include <gtest/gtest.h>

#include "base/paths.h"
#include "checkpoint/safetensors.h"

namespace portwright::verify {
namespace {

/// Eight billion parameters in 32 layers.
constexpr Footprint kLarge = {8'000'000'000, 16'000'000'000, 1'000'000'000};

Room room(double memory, double disk) {
  return {memory, disk, "/disk/scratch"};
}

TEST(Memory, WhatFitsIsHeldWhole) {
  const auto plan =
      plan_memory(kLarge, room(96e9, 1e9), Streaming::WhereNeeded);
  ASSERT_TRUE(plan);
  EXPECT_FALSE(plan->streamed);
  EXPECT_EQ(plan->text, "both sides in float32 need 65 GB, 96 GB are there");
  EXPECT_NEAR(plan->copies, 2.98, 0.01);
}

TEST(Memory, WhatDoesNotFitIsStreamed) {
  const auto plan =
      plan_memory(kLarge, room(24e9, 50e9), Streaming::WhereNeeded);
  ASSERT_TRUE(plan);
  EXPECT_TRUE(plan->streamed);
  EXPECT_EQ(
      plan->text,
      "both sides in float32 need 65 GB, 24 GB are there: weights are "
      "streamed, which needs 8.6 GB of memory at a time and 32 GB of disk in "
      "/disk/scratch (50 GB are free)");
}

TEST(Memory, WhatIsAskedForIsDone) {
  EXPECT_TRUE(
      plan_memory(kLarge, room(96e9, 50e9), Streaming::Always)->streamed);
  const auto refused =
      plan_memory(kLarge, room(24e9, 50e9), Streaming::Never).error();
  EXPECT_FALSE(refused.disk);
  EXPECT_EQ(
      refused.message,
      "both sides in float32 need 65 GB, 24 GB are there, and --no-stream "
      "forbids to stream");
}

TEST(Memory, ALayerHasToFit) {
  const auto refused =
      plan_memory(kLarge, room(8e9, 50e9), Streaming::WhereNeeded).error();
  EXPECT_FALSE(refused.disk);
  EXPECT_EQ(
      refused.message,
      "both sides in float32 need 65 GB, 8.0 GB are there; streamed, the "
      "largest layer alone needs 8.6 GB");
}

TEST(Memory, TheDiskHasToSuffice) {
  const auto refused =
      plan_memory(kLarge, room(24e9, 3e9), Streaming::WhereNeeded).error();
  EXPECT_TRUE(refused.disk);
  EXPECT_EQ(
      refused.message,
      "the disk of /disk/scratch has not enough room: torch's weights need 32 "
      "GB there, 3.0 GB are free");
  auto in_memory = room(24e9, 50e9);
  in_memory.scratch_in_memory = true;
  EXPECT_EQ(
      plan_memory(kLarge, in_memory, Streaming::Always).error().message,
      "/disk/scratch lies in memory: weights streamed there would fill it");
}

TEST(Memory, LayersAreTheNumberedParts) {
  const auto folder = base::TemporaryDirectory::create("portwright-memory");
  ASSERT_TRUE(folder);
  const std::vector<std::byte> bytes(64);
  const auto tensor = [&](int64_t size) {
    return checkpoint::TensorView{
        checkpoint::Dtype::BF16,
        {size},
        std::span(bytes).first(static_cast<size_t>(2 * size))};
  };
  ASSERT_TRUE(checkpoint::write_safetensors(
      folder->path() / "model.safetensors",
      {{"model.embed.weight", tensor(9)},
       {"model.layers.0.a.weight", tensor(8)},
       {"model.layers.0.experts.1.weight", tensor(5)},
       {"model.layers.10.a.weight", tensor(8)}}));
  const auto found = footprint_of(folder->path());
  ASSERT_TRUE(found);
  EXPECT_EQ(found->parameters, 30);
  EXPECT_EQ(found->stored_bytes, 60);
  EXPECT_EQ(found->largest, 13);
}

TEST(Memory, ReadingAllWeightsManyTimesTakesTime) {
  EXPECT_EQ(streaming_timeout({}), 600);
  EXPECT_EQ(streaming_timeout(kLarge), 600 + 24 * 480);
}

}  // namespace
}  // namespace portwright::verify

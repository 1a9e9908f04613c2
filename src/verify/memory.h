#pragma once

#include <cstdint>
#include <filesystem>
#include <string>

#include "base/result.h"

namespace portwright::verify {

/// What a checkpoint weighs.
struct Footprint {
  int64_t parameters = 0;
  /// Of the weights as they are stored.
  int64_t stored_bytes = 0;
  /// Parameters of the largest layer, or of a tensor outside of the layers.
  int64_t largest = 0;
};

/// Reads the headers alone.
base::Result<Footprint> footprint_of(const std::filesystem::path& checkpoint);

enum class Streaming { WhereNeeded, Always, Never };

/// What there is.
struct Room {
  double memory = 0;
  double disk = 0;
  /// Where torch's weights would go, and whether that folder is in memory.
  std::filesystem::path scratch;
  bool scratch_in_memory = false;
};

/// How two sides in float32 are held. All sizes in bytes.
struct MemoryPlan {
  bool streamed = false;
  /// Of both sides held whole, with their libraries.
  double whole = 0;
  /// Of what is there at a time while weights are streamed, and the disk that
  /// torch's take.
  double at_a_time = 0;
  double disk = 0;
  double memory = 0;
  /// How many float32 copies of the weights fit.
  double copies = 0;
  /// One sentence: what is needed, what is there, what is done.
  std::string text;
};

/// Why nothing can be planned: the verdict's business or the world's.
struct NoRoom {
  /// The disk: to be mended, and then run again.
  bool disk = false;
  std::string message;
  std::string help;
};

tl::expected<MemoryPlan, NoRoom>
plan_memory(const Footprint& footprint, const Room& room, Streaming streaming);

/// Seconds that a request may take when each of its passes reads all weights.
int64_t streaming_timeout(const Footprint& footprint);

/// "24 GB", "1.3 GB", "7 MB"
std::string gigabytes(double bytes);

}  // namespace portwright::verify

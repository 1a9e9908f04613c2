#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "emit/blocks.h"

namespace portwright::emit {

/// What a predicate is for one sample; Unknown where it cannot be evaluated.
enum class Truth : int8_t { Unknown = -1, False = 0, True = 1 };

/// One instance's text of what shall become one block for all.
struct Sample {
  Block block;
  std::vector<Truth> truths;  // by predicate
};

/// One block that is every sample's own where its predicates are as they are
/// for that sample. Where samples differ, the first predicate in `order` that
/// tells them apart decides, for each statement by itself: what two choices of
/// the configuration change in different places stays independent. Nothing
/// when no predicate tells two different samples apart.
std::optional<Block> merge(
    const std::vector<Sample>& samples,
    const std::vector<int>& order);

}  // namespace portwright::emit

#pragma once

#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "emit/context.h"

namespace portwright::emit::sharding {

/// How the layers below one module are split over machines, by their paths
/// below it: "q_proj", "shared_experts.up_proj".
struct Splits {
  enum class Style : uint8_t { Columns, Rows, Heads, Experts };
  struct Layer {
    Style style = Style::Columns;
    std::string segments;   // Python over `self`, "" for one
    bool in_place = false;  // what follows is summed up by the unit
    bool bias = false;      // it may have one
    size_t place = 0;       // in the order in which the forward comes to them
  };
  std::map<std::string, Layer> layers;
  /// Attributes that count heads or columns, each machine's part from then on.
  std::set<std::string> divided;
  /// Weights with one number a head.
  std::set<std::string> sliced;
  /// What the module answers is a part of a sum.
  bool sums = false;
};

/// The most that can be split of a module that is given all of its input and
/// has to answer all of its output; nullopt where nothing can. Every statement
/// of the forwards is followed: a linear layer splits its columns, the next one
/// by rows sums up what follows by column or by head, and experts answer parts
/// of sums. What is not known to keep columns apart needs them all.
std::optional<Splits> find_splits(
    const std::vector<ClassText>& classes,
    const ClassText& text);

}  // namespace portwright::emit::sharding

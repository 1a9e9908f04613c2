#pragma once

#include <optional>
#include <string>
#include <vector>

#include "emit/context.h"

namespace portwright::emit {

/// A rule of the library's conversion mapping for this model.
struct KeyRule {
  bool converts = false;  // tensors, else it renames only
  std::vector<std::string> sources, targets;
  std::vector<std::string> operations;  // class names
  int64_t axis = 0;                     // of the last one, where it has one
};

/// Where a rule that merges modules renames what they lie in as well, that is a
/// renaming before it, and the rule tells the modules under their new path.
std::optional<KeyRule> split_renaming(KeyRule& rule);

/// The part of sanitize() that brings experts into a switch layer: from one
/// module an expert (quantized ones too), and from stacked parameters. Each
/// key it reads is gone afterwards, so that a second time changes nothing.
std::string expert_code(
    const Context& context,
    const std::vector<KeyRule>& rules,
    const ExpertWeights& weights);

}  // namespace portwright::emit

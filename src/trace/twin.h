#pragma once

#include <memory>
#include <optional>
#include <unordered_map>
#include <vector>

#include "trace/trace.h"

namespace portwright::trace {

/// A second recording of the same forward by a model of another dtype, value
/// by value.
struct Twin {
  std::shared_ptr<const Trace> trace;
  /// Its value for each of the first recording; 0 where it has none, as where
  /// data chose another way. Where a conversion made a second one of what
  /// stayed one in the first recording, this is the one before it.
  std::vector<ValueId> ids;
  std::unordered_map<const OpNode*, const OpNode*> ops;
  std::unordered_map<const Frame*, const Frame*> frames;
  bool complete = true;  // every operation has its twin

  /// Of the value as it was made.
  std::optional<torch::Dtype> dtype(ValueId id) const;
  /// Of the i-th input of an operation or a call of the first recording.
  std::optional<torch::Dtype> input_dtype(const OpNode& op, size_t i) const;
  std::optional<torch::Dtype> input_dtype(const Frame& call, size_t i) const;
  std::optional<torch::Dtype> output_dtype(const Frame& call, size_t i) const;
};

/// The first module that the frame calls, itself or in a function; null if
/// none.
const Frame* first_module(const Frame& frame);

/// Walks both recordings side by side from the first module called.
Twin match(const Trace& first, std::shared_ptr<const Trace> second);

}  // namespace portwright::trace

#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "checkpoint/safetensors.h"
#include "verify/trouble.h"

namespace portwright::verify {

/// Row-major float32 values.
struct Array {
  std::vector<int64_t> shape;
  std::vector<float> values;
};

/// One of several outputs of a module.
struct Answer {
  std::string dtype;
  std::vector<int64_t> shape;
};

/// What one run of a model left behind: tensors by key (`logits`, `in:PATH`,
/// `out:PATH`, `stepN/...`), the modules in call order, the dtypes the tensors
/// had before they were written as float32.
class Run {
 public:
  Run() = default;
  static Outcome<Run> open(const std::string& file);

  std::optional<Array> find(const std::string& key) const;
  bool has(const std::string& key) const;
  /// Empty where there is none.
  std::vector<int64_t> shape_of(const std::string& key) const;
  const std::string& path() const {
    return path_;
  }

  std::vector<std::string> order;
  std::map<std::string, std::string> dtypes;
  /// Of modules with several outputs, by path: all of them, in order.
  std::map<std::string, std::vector<Answer>> answers;
  /// Part of it was computed in float32 and rounded, for want of a kernel.
  bool emulated = false;

 private:
  std::string path_;
  std::shared_ptr<checkpoint::SafetensorsFile> file_;
};

struct Difference {
  /// max|a - b| / max|b|; infinity where only one is finite.
  double relative = 0;
  /// The first position off by more than 1e-4, else the one that is off most;
  /// -1 without a position axis.
  int64_t position = -1;
  /// The same ratio at each position, over the largest of the whole reference.
  std::vector<double> per_position;
};

/// Compares arrays of one shape, or of one size and last axis when their ranks
/// differ (tokens as rows); the position axis is the last but one. Nothing when
/// they are not comparable: other sizes, or heads and positions swapped.
std::optional<Difference> compare(const Array& a, const Array& reference);
/// ... what two runs have under those keys; nothing where one has none.
std::optional<Difference> compare(
    const Run& run,
    const std::string& key,
    const Run& reference,
    const std::string& reference_key);

/// Positions [begin, end) of the axis last but one.
Array slice_positions(const Array& array, int64_t begin, int64_t end);

/// The first `count` of the last axis, or all where there are fewer.
Array first_features(const Array& array, int64_t count);

/// Row `index` of the first axis, as (1, ...).
Array row(const Array& array, int64_t index);

}  // namespace portwright::verify

#pragma once

#include <optional>
#include <string>

#include "verify/arrays.h"

namespace portwright::verify {

// Fused kernels round less often than torch's modules, library norms once or
// twice more. What errs further lacks a conversion that the source has.
inline constexpr double kSuspicious = 2.5;
inline constexpr double kWrong = 8;

/// How much more than torch a port errs in bfloat16 in what is at `path`.
struct Rounding {
  double ratio = 0;
  /// Of the port: |difference| / |value|, the median over tokens.
  double error = 0;
  std::string path;
};

/// The same value in four runs: the port's in bfloat16 and in float32, torch's
/// in bfloat16 and computed in float32 from what that had.
struct Quartet {
  std::optional<Array> ours, wide, low, exact;
};

/// Nothing where the runs hold other things, as a router's scores and its
/// logits, or where the port errs as much in float32.
std::optional<Rounding> judge_rounding(
    const Quartet& of,
    const std::string& path);

/// Whether a and b are one value, but for weights that are rounded in one of
/// them.
bool are_alike(const Array& a, const Array& b);

/// The median over tokens of |a - exact| / |exact|: experts that a rounding
/// exchanges for a few tokens do not show.
std::optional<double> typical_error(const Array& a, const Array& exact);

}  // namespace portwright::verify

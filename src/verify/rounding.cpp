#include "verify/rounding.h"

#include <algorithm>
#include <cmath>
#include <vector>

namespace portwright::verify {
namespace {

// Rounding an answer to bfloat16 once costs about this much of it.
constexpr double kOneRounding = 1.2e-3;
// Weights that are rounded on one side only cost some thousandths.
constexpr double kSomethingElse = 0.05;
// Of the error in bfloat16: what the port errs in float32 is no rounding.
constexpr double kAlready = 0.8;

double norm(const float* values, size_t count) {
  double sum = 0;
  for (size_t i = 0; i < count; ++i) {
    sum += static_cast<double>(values[i]) * values[i];
  }
  return std::sqrt(sum);
}

}  // namespace

std::optional<double> typical_error(const Array& a, const Array& exact) {
  if (a.shape.empty() || exact.shape.empty() ||
      a.shape.back() != exact.shape.back() ||
      a.values.size() != exact.values.size() || a.values.empty()) {
    return std::nullopt;
  }
  const auto width = static_cast<size_t>(exact.shape.back());
  std::vector<double> errors;
  for (size_t at = 0; at < a.values.size(); at += width) {
    std::vector<float> difference(width);
    for (size_t i = 0; i < width; ++i) {
      difference[i] = a.values[at + i] - exact.values[at + i];
    }
    const double size = norm(&exact.values[at], width);
    errors.push_back(norm(difference.data(), width) / std::max(size, 1e-30));
  }
  const auto middle =
      errors.begin() + static_cast<std::ptrdiff_t>(errors.size() / 2);
  std::nth_element(errors.begin(), middle, errors.end());
  return *middle;
}

bool are_alike(const Array& a, const Array& b) {
  const auto apart = typical_error(a, b);
  return apart && *apart <= kSomethingElse;
}

std::optional<Rounding> judge_rounding(
    const Quartet& of,
    const std::string& path) {
  if (!of.ours || !of.wide || !of.low || !of.exact ||
      !are_alike(*of.wide, *of.exact)) {
    return std::nullopt;
  }
  const auto error = typical_error(*of.ours, *of.exact);
  const auto theirs = typical_error(*of.low, *of.exact);
  const auto apart = typical_error(*of.wide, *of.exact);
  if (!error || !theirs || !apart) {
    return std::nullopt;
  }
  if (*apart > kAlready * *error) {
    return std::nullopt;
  }
  return Rounding{*error / std::max(*theirs, kOneRounding), *error, path};
}

}  // namespace portwright::verify

#pragma once

#include <functional>
#include <string_view>
#include <vector>

#include "verify/results.h"
#include "verify/session.h"

namespace portwright::verify {

/// One question about a port. `run` is called with both models loaded unless
/// `needs_models` is false. A `Model` trouble it returns becomes a failure (of
/// the port) or an untrusted result (of the reference).
struct Check {
  std::string_view name;
  std::string_view about;
  /// Part of --quick.
  bool quick = false;
  /// Only part of --full.
  bool full_only = false;
  bool needs_models = true;
  /// Only runs the models as they are loaded: weights may be streamed.
  bool streams = false;
  /// Float32 copies of the weights that are there at its peak, on both sides.
  double copies = 2;
  std::function<Outcome<CheckResult>(Session&)> run;
};

/// Every check, in the order they run and are shown.
const std::vector<Check>& all_checks();

// Building results ----------------------------------------------------------

CheckResult passed();
CheckResult skipped(std::string reason);
CheckResult failed(std::string reason);
CheckResult warned(std::string reason);

/// Pass up to the threshold, a warning up to 1e-4, else a failure; keeps the
/// worst of several calls on one result. True unless it failed.
bool judge(
    CheckResult& result,
    const Difference& difference,
    double threshold,
    const std::string& what);

/// A difference of two tensors; a failure when they cannot be compared.
bool judge(
    CheckResult& result,
    const std::optional<Array>& port,
    const std::optional<Array>& reference,
    double threshold,
    const std::string& what);

/// "3.2e-05"
std::string short_number(double value);

}  // namespace portwright::verify

#pragma once

#include <functional>
#include <string>
#include <vector>

#include "base/progress.h"
#include "verify/check.h"

namespace portwright::verify {

enum class Mode { Quick, Normal, Full };

struct BatteryOptions {
  Mode mode = Mode::Normal;
  /// Names of checks; empty: those of the mode.
  std::vector<std::string> only;
  /// Checks that are added whatever the mode.
  std::vector<std::string> also;
  /// Checks that are left out whatever the mode.
  std::vector<std::string> without;
  /// Results of an earlier run of the same subject: these checks are not run
  /// again.
  std::vector<CheckResult> done;
  /// Called with what there is after each check that ran.
  std::function<base::Result<void>(const Results&)> after_each;
};

/// Names of the checks that the options ask for, in their order.
std::vector<std::string> chosen_checks(const BatteryOptions& options);

/// Names that no check has, for the usage error.
std::vector<std::string> unknown_checks(const std::vector<std::string>& names);

/// Whether the options ask for a check.
bool is_chosen(const Check& check, const BatteryOptions& options);

/// One check, an exception of either side's code being its answer. The Error is
/// the world's.
base::Result<CheckResult> judge_by(const Check& check, Session& session);

/// Runs the checks on a started session. The Error is the world's: a worker
/// that died or hung; a port that raises is a failed check instead.
base::Result<Results> run_battery(
    Session& session,
    const BatteryOptions& options,
    base::Progress& progress);

}  // namespace portwright::verify

#pragma once

#include <string>
#include <vector>

#include "base/progress.h"
#include "verify/session.h"

namespace portwright::verify {

enum class Mode { Quick, Normal, Full };

struct BatteryOptions {
  Mode mode = Mode::Normal;
  /// Names of checks; empty: those of the mode.
  std::vector<std::string> only;
};

/// Names that no check has, for the usage error.
std::vector<std::string> unknown_checks(const std::vector<std::string>& names);

/// Runs the checks on a started session. The Error is the world's: a worker
/// that died or hung; a port that raises is a failed check instead.
base::Result<Results> run_battery(
    Session& session,
    const BatteryOptions& options,
    base::Progress& progress);

}  // namespace portwright::verify

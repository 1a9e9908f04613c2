#include "verify/check.h"

#include <cmath>

#include "verify/checks/checks.h"

namespace portwright::verify {

const std::vector<Check>& all_checks() {
  static const std::vector<Check> checks = {
#define X(name) name##_check(),
      PW_CHECKS(X)
#undef X
  };
  return checks;
}

namespace {

CheckResult with(Status status, std::string reason) {
  CheckResult out;
  out.status = status;
  out.reason = std::move(reason);
  return out;
}

int severity(Status status) {
  switch (status) {
    case Status::Skipped:
      return 0;
    case Status::Pass:
      return 1;
    case Status::Warn:
      return 2;
    case Status::Untrusted:
      return 3;
    case Status::Fail:
      return 4;
  }
  return 0;
}

}  // namespace

CheckResult passed() {
  return with(Status::Pass, "");
}

CheckResult skipped(std::string reason) {
  return with(Status::Skipped, std::move(reason));
}

CheckResult failed(std::string reason) {
  return with(Status::Fail, std::move(reason));
}

CheckResult warned(std::string reason) {
  return with(Status::Warn, std::move(reason));
}

std::string short_number(double value) {
  return std::isfinite(value) ? fmt::format("{:.1e}", value)
                              : "not a finite number";
}

bool judge(
    CheckResult& result,
    const Difference& difference,
    double threshold,
    const std::string& what) {
  Status status = Status::Pass;
  std::string reason;
  // Written so that a NaN fails.
  if (!(difference.relative <= kNeverAbove)) {
    status = Status::Fail;
    reason = fmt::format(
        "{} differ by {} (allowed: {})",
        what,
        short_number(difference.relative),
        short_number(threshold));
  } else if (difference.relative > threshold) {
    status = Status::Warn;
    reason = fmt::format(
        "{} differ by {}: below {}, yet above the noise of float32 ({})",
        what,
        short_number(difference.relative),
        short_number(kNeverAbove),
        short_number(threshold));
  }
  const bool larger =
      !result.value || !(difference.relative / threshold <=
                         *result.value / result.threshold.value_or(threshold));
  if (larger) {
    result.value = difference.relative;
    result.threshold = threshold;
  }
  if (severity(status) > severity(result.status)) {
    result.status = status;
    result.reason = reason;
    if (difference.position >= 0 && status != Status::Pass) {
      result.place.position = difference.position;
    }
  }
  return status != Status::Fail;
}

bool judge(
    CheckResult& result,
    const std::optional<Array>& port,
    const std::optional<Array>& reference,
    double threshold,
    const std::string& what) {
  const auto difference =
      port && reference ? compare(*port, *reference) : std::nullopt;
  if (!difference) {
    const auto shape = [](const std::optional<Array>& array) {
      return array ? fmt::format("({})", fmt::join(array->shape, ", "))
                   : std::string("nothing");
    };
    if (result.status != Status::Fail) {
      result.status = Status::Fail;
      result.reason = fmt::format(
          "{}: the port gives {}, the reference {}",
          what,
          shape(port),
          shape(reference));
    }
    return false;
  }
  return judge(result, *difference, threshold, what);
}

}  // namespace portwright::verify

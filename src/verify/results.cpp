#include "verify/results.h"

namespace portwright::verify {

std::string_view name(Status status) {
  switch (status) {
    case Status::Pass:
      return "pass";
    case Status::Warn:
      return "warn";
    case Status::Fail:
      return "fail";
    case Status::Untrusted:
      return "untrusted";
    case Status::Skipped:
      return "skipped";
  }
  return "?";
}

Status Results::verdict() const {
  const auto any = [&](Status status) {
    return std::any_of(checks.begin(), checks.end(), [&](const auto& check) {
      return check.status == status;
    });
  };
  if (any(Status::Fail)) {
    return Status::Fail;
  }
  if (any(Status::Untrusted) || !pending.empty()) {
    return Status::Untrusted;
  }
  if (any(Status::Warn)) {
    return Status::Warn;
  }
  return any(Status::Pass) ? Status::Pass : Status::Untrusted;
}

const CheckResult* Results::find(std::string_view name) const {
  const auto it =
      std::find_if(checks.begin(), checks.end(), [&](const auto& check) {
        return check.name == name;
      });
  return it == checks.end() ? nullptr : &*it;
}

}  // namespace portwright::verify

#pragma once

#include "verify/check.h"

namespace portwright::report {

/// A check's result as the tests of reports need it.
inline verify::CheckResult
check_result(std::string name, verify::Status status, std::string reason = "") {
  verify::CheckResult out;
  out.name = std::move(name);
  out.status = status;
  out.reason = std::move(reason);
  return out;
}

}  // namespace portwright::report

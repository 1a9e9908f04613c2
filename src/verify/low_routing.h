#pragma once

#include <string>
#include <vector>

#include "verify/figures.h"
#include "verify/session.h"

namespace portwright::verify {

/// What a router of a bfloat16 model chose, given torch's input.
struct LowRouting {
  /// Of torch's module that is told, and of the port's.
  std::string path, ours;
  RoutingAgreement agreement;
  /// By token: both sides choose alike, in both dtypes. Only there is an error
  /// of what experts answer one of arithmetic.
  std::vector<bool> alike;
};

/// `torch` is the run of `low_precision`, the port's were given its inputs. A
/// token is a tie where torch, or the port, chooses otherwise in float32.
/// Nothing where the sides have other routers.
std::vector<LowRouting> low_routing(
    Session& session,
    const Run& torch,
    const Run& wide,
    const Run& port);

/// The rows of an array that belong to tokens whose experts are alike in all
/// routers inside the module; all of them where these are few, or no tokens.
Array arithmetic_rows(
    Array array,
    const std::vector<LowRouting>& routing,
    const std::string& path);

}  // namespace portwright::verify

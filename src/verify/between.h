#pragma once

#include <map>
#include <string>

#include "verify/rounding.h"
#include "verify/session.h"

namespace portwright::verify {

/// What a module's own code does between the modules that it calls: computed
/// while each of these answers what torch's did in bfloat16, so that their
/// errors are not in it.
struct Between {
  /// Torch's in float32: what modules are given and make of their modules'
  /// answers.
  Run exact;
  /// Keys of the port's answers to those of torch's in bfloat16.
  std::map<std::string, std::string> answers;
};

/// `torch`: of reference_in_bfloat16. `wide`: the port in float32, fed the
/// inputs of that; modules answer that are the same on both sides.
Outcome<Between>
torch_between(Session& session, const Run& torch, const Run& wide);

struct BetweenRounding {
  Rounding worst;
  /// What the module is given, else what it makes of its modules' answers.
  bool given = false;
};

/// `port` and `wide`: the port in bfloat16 and in float32, with the answers.
BetweenRounding find_worst_between(
    const Between& between,
    const Run& torch,
    const Run& port,
    const Run& wide);

/// Of what is given, the line that calls the module.
Place place_between(Session& session, const BetweenRounding& found);

}  // namespace portwright::verify

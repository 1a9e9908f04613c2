#pragma once

#include <optional>
#include <string>

#include "verify/check.h"

namespace portwright::verify {

/// What cached single steps of a port are held against.
struct Steps {
  Array cached;  // (1, S, V), as the reference steps itself
  /// What its forward over all tokens answers at the same positions, where
  /// that is something else: then the reference contradicts itself.
  std::optional<Array> whole;
  double contradiction = 0;  // the relative difference of the two
};

/// "torch's own cached steps differ from its prefill by 2.4e-02"
std::string contradiction_text(const Steps& steps);

/// The reference's steps over `ids` after a prefill of `prefill` of them; the
/// first is the prefill's last position.
Outcome<Steps> reference_steps(Session& session, const Ids& ids, int prefill);

/// As judge(), with a warning where the reference contradicts itself and the
/// port's steps are what its forward over all tokens answers.
bool judge_steps(
    CheckResult& result,
    const std::optional<Array>& port,
    const Steps& steps,
    double threshold,
    const std::string& what);

}  // namespace portwright::verify

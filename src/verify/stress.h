#pragma once

#include <string>
#include <vector>

#include "verify/session.h"

namespace portwright::verify {

/// Paths of modules that both sides have, call once, and roughly agree about
/// over the plan's prompt, in the order of the calls. Without experts inside:
/// which are chosen may hang on a rounding. Groups of which none lies in
/// another of its group, so that nothing but what a module is given is
/// another's than its own.
Outcome<std::vector<std::vector<std::string>>> common_modules(Session& session);

/// Keys of the port's inputs to those below `prefix` in a run of the
/// reference's operation `stressed`.
std::map<std::string, std::string> stressed_feed(
    const std::vector<std::string>& paths,
    const Run& torch,
    const std::string& prefix);

}  // namespace portwright::verify

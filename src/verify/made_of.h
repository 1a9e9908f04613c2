#pragma once

#include <optional>
#include <string>

#include "verify/session.h"

namespace portwright::verify {

/// Where the port makes what the module at `path` is made of. If the source has
/// not it or modules in it: their weights in `sanitize`. Else the first field
/// of the config that the call at `made_line` takes, or that of such a module,
/// or that decides whether it is made, and which the config class computes.
/// Nothing where neither is there.
std::optional<int> line_of_what_it_is_made_of(
    Session& session,
    const std::string& path,
    const std::optional<int>& made_line);

/// Where the config class computes the first field that decides whether the
/// statement in a line is run, else that it takes.
std::optional<int> line_of_deciding_field(const Session& session, int line);

/// The last line that writes a state: `cache[N] = ...`.
std::optional<int> line_of_last_state(const Session& session);

}  // namespace portwright::verify

#pragma once

#include "verify/locate.h"

namespace portwright::verify {

/// A module that is wrong may have been given something wrong: tries torch's
/// mask in the place of the port's, and other caches. Where that makes it
/// right, `place` names the mask or the cache and the line that makes it.
/// `path` and `reference_path`: the module; `layer`: the one it lies in.
void blame_what_was_given(
    Session& session,
    const Scene& scene,
    const std::string& path,
    const std::string& reference_path,
    Place& place);

/// The lines of the model that makes its layers' masks; `cache`: the kind that
/// asks for it, where that is known.
void name_mask(Session& session, Place& place, const std::string& cache = "");

/// The innermost module that first overwrites the array it is given as mask;
/// nothing where none does. `prefixes`: of the evaluations, in order.
std::optional<std::string> find_overwriter(
    const Run& run,
    const std::vector<std::string>& prefixes);

/// Names that module.
void name_overwriter(Session& session, Place& place, const std::string& path);

}  // namespace portwright::verify

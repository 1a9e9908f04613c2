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

}  // namespace portwright::verify

#pragma once

#include "verify/results.h"
#include "verify/session.h"

namespace portwright::verify {

/// Where the port raised: its last line in the traceback, and the module that
/// the line belongs to. `made_line` is the line that makes the mask or the
/// caches, where it is one of them that made the module raise.
Place place_of_exception(Session& session, const Trouble& trouble);

}  // namespace portwright::verify

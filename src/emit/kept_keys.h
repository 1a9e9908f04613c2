#pragma once

#include "emit/context.h"

namespace portwright::emit {

/// A causal source may keep no cache: each token then costs a forward of all
/// before it. Its attentions hide later keys by constants, over as many keys as
/// there are tokens. In the trace keys and values then pass a cache's update,
/// and a mask of the library's hides what the constants hid: the trace of the
/// same model, had it kept them. Nothing is done where the source keeps
/// anything itself, nor to what does not hide exactly the later keys.
void keep_keys(
    eval::Interpreter& interp,
    Trace& trace,
    const Evaluation& evaluation);

}  // namespace portwright::emit

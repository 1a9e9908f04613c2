#pragma once

#include <set>

#include "emit/context.h"

namespace portwright::emit {

/// A source may keep keys and values by itself: it is given those of tokens
/// before, appends the new ones with torch.cat, whatever their layout, and
/// hands on what that answers. In the trace that becomes an update of the
/// library's cache, of (B, H, S, D), and what the modules were given and
/// answered for it is gone. Only what attention reads in pairs is taken: keys
/// that scores are made of, and values. Returns what the updates answer.
std::set<ValueId> take_appended_keys(
    eval::Interpreter& interp,
    Trace& trace,
    const Evaluation& evaluation);

}  // namespace portwright::emit

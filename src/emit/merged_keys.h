#pragma once

#include "emit/context.h"

namespace portwright::emit {

/// Keys and values that a source keeps in three axes are kept in four: rows and
/// heads in one axis (B * H, S, D), heads and their numbers (B, S, H * D), a
/// single head (B, S, D), or keys beside values (B, S, 2 * D). In the trace
/// what is appended has heads of its own then, and what follows is made of that
/// as before. Returns what was appended before that.
std::set<ValueId> keep_heads_apart(
    eval::Interpreter& interp,
    Trace& trace,
    const Evaluation& evaluation);

}  // namespace portwright::emit

#pragma once

#include "emit/context.h"

namespace portwright::emit {

/// A source may cut the rows of the new tokens out of a table, where it knows
/// by the length of what it keeps which they are: table[start : start + L]. In
/// the trace that becomes a reading by positions, as if they had been given.
void read_tables_by_position(
    eval::Interpreter& interp,
    Trace& trace,
    Evaluation& evaluation);

}  // namespace portwright::emit

#pragma once

#include "emit/context.h"

namespace portwright::emit {

/// A forward that nothing goes before counts positions from 0: its ranges as
/// long as the tokens are positions, where rows are looked up by them or they
/// are multiplied. Those that are compared measure distances, and stay.
void take_ranges_for_positions(
    eval::Interpreter& interp,
    Trace& trace,
    const Evaluation& evaluation);

}  // namespace portwright::emit

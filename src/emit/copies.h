#pragma once

#include "emit/statements.h"

namespace portwright::emit {

/// A function without copies of arrays that nothing else reads:
///
///     y2 = mx.array(y)
///     y2[:, :n] = x
///
/// changes y itself, where y is an array of the function's own that no line
/// reads afterwards, and `y[i] *= z` is one statement.
Lines without_copies(Lines lines);

}  // namespace portwright::emit

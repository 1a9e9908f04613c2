#pragma once

#include "emit/statements.h"

namespace portwright::emit {

/// A forward whose statements are one line each where that makes fewer lines:
///
///     queries = self.q_norm(self.q_proj(x).reshape(...)).transpose(...)
///
/// is two, the first of which gives the name what lies inside; and what is
/// named only to be returned is returned. What is computed, and in which order,
/// stays. `parameters` are those of the function.
Lines with_short_statements(const Lines& parameters, Lines lines);

}  // namespace portwright::emit

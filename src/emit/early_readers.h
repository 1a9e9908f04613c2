#pragma once

#include "emit/statements.h"

namespace portwright::emit {

/// `with_fewer_names`, where fewer numbers remain then with what still reads
/// the old value of a name before the new one is made:
///
///     keys2 = self.k_norm(keys)
///     values = mx.fast.rms_norm(keys, None, self.eps)
///
/// makes the values first. Numbers have no gaps.
Lines with_fewest_names(const Lines& parameters, const Lines& lines);

}  // namespace portwright::emit

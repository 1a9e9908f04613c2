#pragma once

#include "emit/statements.h"

namespace portwright::emit {

/// A norm of the last axis takes heads as they come: what is turned before it
/// and turned back after it need not be turned.
///
///     x = self.rope(x).transpose(0, 2, 1, 3)
///     x = mx.fast.rms_norm(x, None, self.eps)
///     return x.transpose(0, 2, 1, 3)
Lines with_moved_transposes(Lines lines);

}  // namespace portwright::emit

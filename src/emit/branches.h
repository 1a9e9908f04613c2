#pragma once

#include "emit/statements.h"

namespace portwright::emit {

/// What both branches of a choice begin or end with is written once:
///
///     if self.norm_topk_prob:
///         scores = mx.take_along_axis(probs, inds, axis=-1)
///         scores = (scores / scores.sum(axis=-1)).astype(x.dtype)
///     else:
///         scores = mx.take_along_axis(probs, inds, axis=-1).astype(x.dtype)
///
/// takes before the choice, and converts after it.
Lines with_shared_ends(Lines lines);

}  // namespace portwright::emit

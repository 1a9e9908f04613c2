#pragma once

#include "emit/context.h"

namespace portwright::emit {

/// Experts of groups that are not chosen, written as sources do it: a mask of
/// ones where groups are chosen, repeated for each expert, and a choice by it.
///
///     mask = mx.repeat(mx.put_along_axis(mx.zeros(...), chosen, ...), n, ...)
///     scores = mx.where(mask.astype(mx.bool_), scores, -mx.inf)
///
/// becomes, as mlx_lm has it, one write into the scores of the other groups.
/// Lines that differ from these stay.
void write_to_other_groups(ClassText& text);

}  // namespace portwright::emit

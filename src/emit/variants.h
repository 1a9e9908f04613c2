#pragma once

#include "emit/context.h"

namespace portwright::emit {

/// Makes one class of two instances' texts. Where they differ, the smallest
/// condition of the source that told them apart decides; a hole when none is
/// found.
void join_variants(Context& context, ClassText& a, const ClassText& b);

}  // namespace portwright::emit

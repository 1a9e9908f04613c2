#pragma once

#include "emit/context.h"

namespace portwright::emit {

/// An attention may hide keys from its scores by itself: by constants for those
/// that are later, and by the attention mask for those that are padding. In the
/// trace a mask of the library's then hides them, as if the caller had made it.
/// Nothing is done to what does not hide exactly those keys.
void hide_by_library_masks(
    eval::Interpreter& interp,
    Trace& trace,
    const Evaluation& evaluation);

}  // namespace portwright::emit

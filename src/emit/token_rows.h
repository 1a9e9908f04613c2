#pragma once

#include <vector>

#include "emit/context.h"

namespace portwright::emit {

/// Tokens that sources put into rows for their experts, and back:
///
///     h = x.reshape(-1, D)
///     inds, scores = self.gate(h)
///     return (self.switch_mlp(h, inds) * scores[..., None]).sum(axis=-2)
///         .reshape(B, L, D)
///
/// keep their shape, as in mlx_lm, where all that is done to rows treats each
/// by itself: layers, functions of elements, and axes counted from the end. A
/// class that answers rows is changed together with those that call it. Classes
/// that do anything else to rows stay.
void keep_tokens_in_place(std::vector<ClassText>& classes);

}  // namespace portwright::emit

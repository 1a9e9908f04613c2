#pragma once

#include "candidate/call.h"

namespace portwright::candidate {

/// x[index]: ints, slices, None, Ellipsis, arrays and lists of ints, and tuples
/// of them, with numpy's rules for where gathered axes go.
mx::array
get_item(eval::Interpreter& interp, const mx::array& x, const Value& index);

/// x with x[index] replaced by `value`, broadcast and cast as MLX does.
mx::array set_item(
    eval::Interpreter& interp,
    const mx::array& x,
    const Value& index,
    const Value& value);

}  // namespace portwright::candidate

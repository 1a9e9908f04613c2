#pragma once

#include "torch/call.h"

namespace portwright::torch {

/// input[index], with the whole of Python's indexing: a view when only ints,
/// slices, None and ... occur, a copy when bools, lists or tensors do.
Value get_item(const Call& call, const Tensor& input, const Value& index);
/// input[index] = value
void set_item(
    const Call& call,
    Tensor& input,
    const Value& index,
    const Value& value);

/// Positions of the elements that are not zero: (n, rank), int64. Reads the
/// elements.
mx::array nonzero_positions(const Call& call, const Tensor& input);
/// One index tensor per axis.
Value nonzero_tuple(const Call& call, const Tensor& input);

/// Wraps negative indices and raises IndexError out of range; reads them.
/// `what` begins the message.
mx::array checked_index(
    const Call& call,
    const mx::array& index,
    int64_t size,
    bool allow_negative);

}  // namespace portwright::torch

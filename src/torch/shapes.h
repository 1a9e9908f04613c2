#pragma once

#include "torch/call.h"

namespace portwright::torch {

// Views, each as torch makes them: an alias of `source`.

Value transposed(const Call& call, const Tensor& source, int a, int b);
Value permuted(
    const Call& call,
    const Tensor& source,
    const std::vector<int>& axes);
/// `length` elements of an axis, from `start`, `step` apart.
Value sliced(
    const Call& call,
    const Tensor& source,
    int axis,
    int64_t start,
    int64_t length,
    int64_t step = 1);
/// One element of an axis; the axis goes.
Value selected(const Call& call, const Tensor& source, int axis, int64_t at);
Value unsqueezed(const Call& call, const Tensor& source, int axis);
/// Removes the axes among `axes` that have one element.
Value squeezed(
    const Call& call,
    const Tensor& source,
    const std::vector<int>& axes);
/// `sizes` may hold -1 for "as it is"; leading axes may be added.
Value expanded(const Call& call, const Tensor& source, Sizes sizes);
/// The same elements under other sizes: an alias where strides allow it, else
/// a copy (`must_alias`: RuntimeError). One size may be -1.
Value reshaped(
    const Call& call,
    const Tensor& source,
    Sizes sizes,
    bool must_alias = false);
/// The same window under an identity of its own.
Value aliased(const Call& call, const Tensor& source);

}  // namespace portwright::torch

#pragma once

#include <optional>

#include "torch/tensor.h"

namespace portwright::torch {

/// Stride arithmetic, as torch does it.

int64_t numel_of(const Sizes& sizes);
Sizes row_major(const Sizes& sizes);
bool is_row_major(const Sizes& sizes, const Sizes& strides);
/// Every element has an address of its own, and no address is skipped.
bool is_dense(const Sizes& sizes, const Sizes& strides);
/// Some elements share an address (an expanded tensor).
bool overlaps(const Sizes& sizes, const Sizes& strides);
/// The dense layout that keeps the order of the axes in memory.
Sizes dense_like(const Sizes& sizes, const Sizes& strides);
/// Strides that show the same elements under other sizes; nullopt when a copy
/// would be needed.
std::optional<Sizes> view_strides(
    const Sizes& old_sizes,
    const Sizes& old_strides,
    const Sizes& new_sizes);

/// The layout TensorIterator gives the result of an elementwise operation.
/// Operands must broadcast to `sizes`.
struct Layout {
  Sizes sizes;
  Sizes strides;
};
Sizes elementwise_strides(
    const Sizes& sizes,
    const std::vector<Layout>& operands);

mx::Shape to_shape(const Sizes& sizes);
Sizes to_sizes(const mx::Shape& shape);

/// The window (sizes, strides, offset) of what `storage` holds now.
mx::array read_window(
    const Storage& storage,
    const Sizes& sizes,
    const Sizes& strides,
    int64_t offset);
/// Replaces that window. Its elements must not overlap.
void write_window(
    Storage& storage,
    const Sizes& sizes,
    const Sizes& strides,
    int64_t offset,
    const mx::array& value);

}  // namespace portwright::torch

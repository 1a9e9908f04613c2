#include "torch/views.h"

#include <numeric>

#include <mlx/mlx.h>

#include "base/check.h"

namespace portwright::torch {

int64_t numel_of(const Sizes& sizes) {
  int64_t n = 1;
  for (int64_t size : sizes) {
    n *= size;
  }
  return n;
}

Sizes row_major(const Sizes& sizes) {
  Sizes strides(sizes.size());
  int64_t stride = 1;
  for (size_t i = sizes.size(); i-- > 0;) {
    strides[i] = stride;
    stride *= std::max<int64_t>(sizes[i], 1);
  }
  return strides;
}

bool is_row_major(const Sizes& sizes, const Sizes& strides) {
  int64_t expected = 1;
  for (size_t i = sizes.size(); i-- > 0;) {
    if (sizes[i] == 0) {
      return true;
    }
    if (sizes[i] != 1) {
      if (strides[i] != expected) {
        return numel_of(sizes) == 0;
      }
      expected *= sizes[i];
    }
  }
  return true;
}

namespace {

/// Axes by falling stride; axes of one element are left out.
std::vector<size_t> memory_order(const Sizes& sizes, const Sizes& strides) {
  std::vector<size_t> order;
  for (size_t i = 0; i < sizes.size(); ++i) {
    if (sizes[i] != 1) {
      order.push_back(i);
    }
  }
  std::stable_sort(order.begin(), order.end(), [&](size_t a, size_t b) {
    return strides[a] > strides[b];
  });
  return order;
}

}  // namespace

bool is_dense(const Sizes& sizes, const Sizes& strides) {
  if (numel_of(sizes) == 0) {
    return true;
  }
  const auto order = memory_order(sizes, strides);
  int64_t expected = 1;
  for (size_t k = order.size(); k-- > 0;) {
    if (strides[order[k]] != expected) {
      return false;
    }
    expected *= sizes[order[k]];
  }
  return true;
}

bool overlaps(const Sizes& sizes, const Sizes& strides) {
  if (numel_of(sizes) == 0) {
    return false;
  }
  int64_t reach = 0;  // of the axes seen so far
  const auto order = memory_order(sizes, strides);
  for (size_t k = order.size(); k-- > 0;) {
    if (strides[order[k]] <= reach) {
      return true;
    }
    reach += strides[order[k]] * (sizes[order[k]] - 1);
  }
  return false;
}

Sizes dense_like(const Sizes& sizes, const Sizes& strides) {
  if (is_dense(sizes, strides)) {
    return strides;
  }
  // c10's infer_dense_strides: broadcast axes keep their place, ties too.
  return elementwise_strides(sizes, {{sizes, strides}});
}

std::optional<Sizes> view_strides(
    const Sizes& old_sizes,
    const Sizes& old_strides,
    const Sizes& new_sizes) {
  if (numel_of(new_sizes) == 0) {
    return old_sizes == new_sizes ? old_strides : row_major(new_sizes);
  }
  Sizes strides(new_sizes.size(), 1);
  if (old_sizes.empty()) {
    return strides;
  }
  // Walks both shapes from the right; each run of old axes that lies evenly
  // in memory must be covered exactly by some new axes.
  int64_t to = static_cast<int64_t>(new_sizes.size()) - 1;
  int64_t step = old_strides.back();
  int64_t old_count = 1;
  int64_t new_count = 1;
  for (int64_t from = static_cast<int64_t>(old_sizes.size()) - 1; from >= 0;
       --from) {
    old_count *= old_sizes[from];
    const bool run_ends =
        from == 0 ||
        (old_sizes[from - 1] != 1 && old_strides[from - 1] != old_count * step);
    if (!run_ends) {
      continue;
    }
    while (to >= 0 && (new_count < old_count || new_sizes[to] == 1)) {
      strides[to] = new_count * step;
      new_count *= new_sizes[to];
      --to;
    }
    if (new_count != old_count) {
      return std::nullopt;
    }
    if (from > 0) {
      step = old_strides[from - 1];
      old_count = new_count = 1;
    }
  }
  return to == -1 ? std::optional(strides) : std::nullopt;
}

namespace {

/// Strides of an operand seen under the broadcast sizes.
Sizes broadcast_strides(const Sizes& sizes, const Layout& operand) {
  Sizes out(sizes.size(), 0);
  const size_t lead = sizes.size() - operand.sizes.size();
  for (size_t i = 0; i < operand.sizes.size(); ++i) {
    const bool stretched = operand.sizes[i] == 1 && sizes[lead + i] != 1;
    out[lead + i] = stretched ? 0 : operand.strides[i];
  }
  return out;
}

/// 1 when axis a must lie further in than axis b, -1 when further out, 0 when
/// no operand can tell.
int compare_axes(
    const Sizes& sizes,
    const std::vector<Sizes>& strides,
    size_t a,
    size_t b) {
  for (const Sizes& s : strides) {
    if (s[a] == 0 || s[b] == 0) {
      continue;
    }
    if (s[a] != s[b]) {
      return s[a] < s[b] ? -1 : 1;
    }
    if (sizes[a] > sizes[b]) {
      return 1;
    }
  }
  return 0;
}

}  // namespace

Sizes elementwise_strides(
    const Sizes& sizes,
    const std::vector<Layout>& operands) {
  bool all_row_major = true;
  bool all_same = true;
  for (const Layout& o : operands) {
    const bool same_sizes = o.sizes == sizes;
    all_row_major &= same_sizes && is_row_major(o.sizes, o.strides);
    all_same &= same_sizes && o.strides == operands[0].strides &&
                is_dense(o.sizes, o.strides);
  }
  if (all_row_major || operands.empty()) {
    return row_major(sizes);
  }
  if (all_same) {
    return operands[0].strides;
  }
  std::vector<Sizes> strides;
  for (const Layout& o : operands) {
    strides.push_back(broadcast_strides(sizes, o));
  }
  // order[0] is the innermost axis; an insertion sort that leaves axes in
  // place where no operand can tell.
  std::vector<size_t> order(sizes.size());
  std::iota(order.rbegin(), order.rend(), 0);
  for (size_t i = 1; i < order.size(); ++i) {
    size_t at = i;
    for (size_t k = i; k-- > 0;) {
      const int c = compare_axes(sizes, strides, order[k], order[at]);
      if (c > 0) {
        std::swap(order[k], order[at]);
        at = k;
      } else if (c < 0) {
        break;
      }
    }
  }
  Sizes out(sizes.size());
  int64_t stride = 1;
  for (size_t axis : order) {
    out[axis] = stride;
    stride *= std::max<int64_t>(sizes[axis], 1);
  }
  return out;
}

mx::Shape to_shape(const Sizes& sizes) {
  mx::Shape shape;
  for (int64_t size : sizes) {
    shape.push_back(static_cast<mx::ShapeElem>(size));
  }
  return shape;
}

Sizes to_sizes(const mx::Shape& shape) {
  return Sizes(shape.begin(), shape.end());
}

namespace {

/// The storage's elements in the order of memory, under any row-major shape.
mx::array in_memory_order(const Storage& storage, const Sizes& shape) {
  std::vector<int> axes;
  for (size_t i : memory_order(storage.sizes, storage.strides)) {
    axes.push_back(static_cast<int>(i));
  }
  if (std::is_sorted(axes.begin(), axes.end())) {
    return mx::reshape(storage.data, to_shape(shape));
  }
  for (size_t i = 0; i < storage.sizes.size(); ++i) {
    if (storage.sizes[i] == 1) {
      axes.push_back(static_cast<int>(i));
    }
  }
  return mx::reshape(mx::transpose(storage.data, axes), to_shape(shape));
}

/// A window as a box: the storage reshaped to `extents`, from `start`, of
/// `counts`. Exists when the strides divide one another and no axis of the
/// window runs past the next outer stride.
struct Box {
  Sizes extents, start, counts;
};

std::optional<Box> box_of(
    int64_t total,
    const Sizes& sizes,
    const Sizes& strides,
    int64_t offset,
    const std::vector<size_t>& order) {
  Box box;
  int64_t outer = total;
  int64_t rest = offset;
  for (size_t axis : order) {
    const int64_t stride = strides[axis];
    if (stride == 0 || outer % stride != 0) {
      return std::nullopt;
    }
    box.extents.push_back(outer / stride);
    box.start.push_back(rest / stride);
    box.counts.push_back(sizes[axis]);
    if (box.start.back() + box.counts.back() > box.extents.back()) {
      return std::nullopt;
    }
    rest %= stride;
    outer = stride;
  }
  box.extents.push_back(outer);
  box.start.push_back(rest);
  box.counts.push_back(1);
  return box;
}

mx::array scattered(
    const Storage& storage,
    const Sizes& sizes,
    const Sizes& strides,
    int64_t offset,
    int64_t total,
    const mx::array& value) {
  mx::array index = mx::array(offset, mx::int64);
  for (size_t i = 0; i < sizes.size(); ++i) {
    mx::Shape shape(sizes.size(), 1);
    shape[i] = static_cast<mx::ShapeElem>(sizes[i]);
    index =
        index +
        mx::reshape(mx::arange(0.0, double(sizes[i]), 1.0, mx::int64), shape) *
            mx::array(strides[i], mx::int64);
  }
  const int count = static_cast<int>(numel_of(sizes));
  return mx::scatter(
      in_memory_order(storage, {total}),
      mx::reshape(index, {count}),
      mx::reshape(value, {count, 1}),
      0);
}

}  // namespace

mx::array read_window(
    const Storage& storage,
    const Sizes& sizes,
    const Sizes& strides,
    int64_t offset) {
  if (numel_of(sizes) == 0) {
    return mx::zeros(to_shape(sizes), storage.data.dtype());
  }
  if (offset == 0 && sizes == storage.sizes && strides == storage.strides) {
    return storage.data;
  }
  const int64_t total = numel_of(storage.sizes);
  mx::Strides steps(strides.begin(), strides.end());
  // A broadcast constant keeps its zero strides through reshape().
  return mx::as_strided(
      mx::contiguous(in_memory_order(storage, {total})),
      to_shape(sizes),
      std::move(steps),
      static_cast<size_t>(offset));
}

void write_window(
    Storage& storage,
    const Sizes& sizes,
    const Sizes& strides,
    int64_t offset,
    const mx::array& value) {
  const int64_t total = numel_of(storage.sizes);
  if (numel_of(sizes) == 0) {
    return;
  }
  if (numel_of(sizes) == total && is_dense(sizes, strides)) {
    storage.data = value;
    storage.sizes = sizes;
    storage.strides = strides;
    return;
  }
  const auto order = memory_order(sizes, strides);
  auto box = box_of(total, sizes, strides, offset, order);
  if (!box) {
    storage.data = scattered(storage, sizes, strides, offset, total, value);
    storage.sizes = {total};
    storage.strides = {1};
    return;
  }
  std::vector<int> axes(order.begin(), order.end());
  for (size_t i = 0; i < sizes.size(); ++i) {
    if (sizes[i] == 1) {
      axes.push_back(static_cast<int>(i));
    }
  }
  Sizes stop = box->start;
  for (size_t i = 0; i < stop.size(); ++i) {
    stop[i] += box->counts[i];
  }
  storage.data = mx::slice_update(
      in_memory_order(storage, box->extents),
      mx::reshape(mx::transpose(value, axes), to_shape(box->counts)),
      to_shape(box->start),
      to_shape(stop));
  storage.sizes = box->extents;
  storage.strides = row_major(box->extents);
}

}  // namespace portwright::torch

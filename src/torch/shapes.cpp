#include "torch/shapes.h"

namespace portwright::torch {
namespace {

/// Fills in the one -1.
Sizes inferred(const Call& call, const Tensor& source, Sizes sizes) {
  int64_t known = 1;
  int64_t unknown = -1;
  for (size_t i = 0; i < sizes.size(); ++i) {
    if (sizes[i] == -1) {
      if (unknown >= 0) {
        call.raise("RuntimeError", "only one dimension can be inferred");
      }
      unknown = static_cast<int64_t>(i);
    } else if (sizes[i] < 0) {
      call.raise(
          "RuntimeError",
          "invalid shape dimension " + std::to_string(sizes[i]));
    } else {
      known *= sizes[i];
    }
  }
  const int64_t numel = source.numel();
  const std::string text = sizes_text(sizes);
  if (unknown >= 0) {
    if (known == 0) {
      call.raise(
          "RuntimeError",
          "cannot reshape tensor of 0 elements into shape " + text +
              " because the unspecified dimension size -1 can be any value and "
              "is ambiguous");
    }
    sizes[unknown] = numel / known;
    known *= sizes[unknown];
  }
  if (known != numel) {
    call.raise(
        "RuntimeError",
        "shape '" + text + "' is invalid for input of size " +
            std::to_string(numel));
  }
  return sizes;
}

}  // namespace

Value transposed(const Call& call, const Tensor& source, int a, int b) {
  std::vector<int> axes(source.sizes.size());
  for (size_t i = 0; i < axes.size(); ++i) {
    axes[i] = static_cast<int>(i);
  }
  if (!axes.empty()) {
    std::swap(axes[a], axes[b]);
  }
  return permuted(call, source, axes);
}

Value permuted(
    const Call& call,
    const Tensor& source,
    const std::vector<int>& axes) {
  Sizes sizes, strides;
  for (int axis : axes) {
    sizes.push_back(source.sizes[axis]);
    strides.push_back(source.strides[axis]);
  }
  return call.view(
      source,
      std::move(sizes),
      std::move(strides),
      source.offset,
      axes.empty() ? source.array() : mx::transpose(source.array(), axes));
}

Value sliced(
    const Call& call,
    const Tensor& source,
    int axis,
    int64_t start,
    int64_t length,
    int64_t step) {
  Sizes sizes = source.sizes, strides = source.strides;
  const int64_t offset = source.offset + start * strides[axis];
  const bool whole = start == 0 && length == sizes[axis] && step == 1;
  sizes[axis] = length;
  strides[axis] *= step;
  mx::Shape begin(sizes.size(), 0), end = source.array().shape(),
                                    steps(sizes.size(), 1);
  begin[axis] = static_cast<int>(start);
  end[axis] =
      static_cast<int>(length == 0 ? start : start + (length - 1) * step + 1);
  steps[axis] = static_cast<int>(step);
  return call.view(
      source,
      std::move(sizes),
      std::move(strides),
      offset,
      whole ? source.array() : mx::slice(source.array(), begin, end, steps));
}

Value selected(const Call& call, const Tensor& source, int axis, int64_t at) {
  Sizes sizes = source.sizes, strides = source.strides;
  const int64_t offset = source.offset + at * strides[axis];
  sizes.erase(sizes.begin() + axis);
  strides.erase(strides.begin() + axis);
  mx::Shape begin(source.sizes.size(), 0), end = source.array().shape();
  begin[axis] = static_cast<int>(at);
  end[axis] = static_cast<int>(at) + 1;
  return call.view(
      source,
      std::move(sizes),
      std::move(strides),
      offset,
      mx::squeeze(mx::slice(source.array(), begin, end), axis));
}

Value unsqueezed(const Call& call, const Tensor& source, int axis) {
  Sizes sizes = source.sizes, strides = source.strides;
  const int64_t stride =
      axis < source.dim() ? source.sizes[axis] * source.strides[axis] : 1;
  sizes.insert(sizes.begin() + axis, 1);
  strides.insert(strides.begin() + axis, stride);
  return call.view(
      source,
      std::move(sizes),
      std::move(strides),
      source.offset,
      mx::expand_dims(source.array(), axis));
}

Value squeezed(
    const Call& call,
    const Tensor& source,
    const std::vector<int>& axes) {
  Sizes sizes, strides;
  for (int i = 0; i < source.dim(); ++i) {
    const bool named = std::find(axes.begin(), axes.end(), i) != axes.end();
    if (!named || source.sizes[i] != 1) {
      sizes.push_back(source.sizes[i]);
      strides.push_back(source.strides[i]);
    }
  }
  mx::array value = mx::reshape(source.array(), to_shape(sizes));
  return call.view(
      source,
      std::move(sizes),
      std::move(strides),
      source.offset,
      std::move(value));
}

Value expanded(const Call& call, const Tensor& source, Sizes sizes) {
  const int64_t lead = static_cast<int64_t>(sizes.size()) - source.dim();
  if (lead < 0) {
    call.raise(
        "RuntimeError",
        fmt::format(
            "expand({}, size={}): the number of sizes provided ({}) must be "
            "greater or equal to the number of dimensions in the tensor ({})",
            sizes_text(source.sizes),
            sizes_text(sizes),
            sizes.size(),
            source.dim()));
  }
  Sizes strides(sizes.size(), 0);
  for (int64_t i = static_cast<int64_t>(sizes.size()) - 1; i >= 0; --i) {
    const int64_t from = i - lead;
    const int64_t have = from >= 0 ? source.sizes[from] : 1;
    const int64_t stride = from >= 0 ? source.strides[from]
                           : i + 1 < static_cast<int64_t>(sizes.size())
                               ? sizes[i + 1] * strides[i + 1]
                               : 1;
    if (sizes[i] == -1 && from >= 0) {
      sizes[i] = have;
    }
    if (sizes[i] != have && have != 1) {
      call.raise(
          "RuntimeError",
          fmt::format(
              "The expanded size of the tensor ({}) must match the existing "
              "size ({}) at non-singleton dimension {}.  Target sizes: {}.  "
              "Tensor sizes: {}",
              sizes[i],
              have,
              i,
              sizes_text(sizes),
              sizes_text(source.sizes)));
    }
    strides[i] = sizes[i] == have ? stride : 0;
  }
  mx::array value = mx::broadcast_to(source.array(), to_shape(sizes));
  return call.view(
      source,
      std::move(sizes),
      std::move(strides),
      source.offset,
      std::move(value));
}

Value reshaped(
    const Call& call,
    const Tensor& source,
    Sizes wanted,
    bool must_alias) {
  Sizes sizes = inferred(call, source, std::move(wanted));
  auto strides = view_strides(source.sizes, source.strides, sizes);
  mx::array value = mx::reshape(source.array(), to_shape(sizes));
  if (strides) {
    return call.view(
        source, std::move(sizes), std::move(*strides), source.offset, value);
  }
  if (must_alias) {
    call.raise(
        "RuntimeError",
        "view size is not compatible with input tensor's size and stride (at "
        "least one dimension spans across two contiguous subspaces). Use "
        ".reshape(...) instead.");
  }
  return call.make(std::move(value), source.dtype);
}

Value aliased(const Call& call, const Tensor& source) {
  return call.view(
      source, source.sizes, source.strides, source.offset, source.array());
}

}  // namespace portwright::torch

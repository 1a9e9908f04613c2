#include <numeric>

#include "torch/dispatch.h"
#include "torch/shapes.h"

namespace portwright::torch {
namespace {

/// The tensor's bytes under another type: writing through either side is
/// refused from then on.
Value view_as_type(Call& call, Dtype dtype) {
  const Tensor& input = call.tensor(0);
  if (dtype == input.dtype) {
    return aliased(call, input);
  }
  if (!input.is_contiguous() || input.dim() == 0) {
    call.refuse_operation("view(dtype) of a tensor that is not contiguous");
  }
  input.storage->read_only = "a tensor that another dtype views";
  Value out = call.make(mx::view(input.array(), to_mlx(dtype)), dtype);
  as_tensor(out)->storage->read_only = input.storage->read_only;
  return out;
}

Value view(Call& call) {
  const auto& items = call.args[1].get<eval::Tuple>()->items;
  if (items.size() == 1 && as_dtype(call.interp, items[0])) {
    return view_as_type(call, *as_dtype(call.interp, items[0]));
  }
  return reshaped(call, call.tensor(0), call.ints(1), true);
}

Value reshape(Call& call) {
  return reshaped(call, call.tensor(0), call.ints(1));
}

Value view_as(Call& call) {
  return reshaped(call, call.tensor(0), call.tensor(1).sizes, true);
}

Value reshape_as(Call& call) {
  return reshaped(call, call.tensor(0), call.tensor(1).sizes);
}

Value flatten(Call& call) {
  const Tensor& input = call.tensor(0);
  const int begin = call.axis(1, input.dim());
  const int end = call.axis(2, input.dim());
  if (begin > end) {
    call.raise(
        "RuntimeError",
        "flatten() has invalid args: start_dim cannot come after end_dim");
  }
  if (input.dim() == 0) {
    return reshaped(call, input, {1});
  }
  if (begin == end) {
    return call.args[0];
  }
  Sizes sizes(input.sizes.begin(), input.sizes.begin() + begin);
  sizes.push_back(std::accumulate(
      input.sizes.begin() + begin,
      input.sizes.begin() + end + 1,
      int64_t{1},
      std::multiplies<>()));
  sizes.insert(sizes.end(), input.sizes.begin() + end + 1, input.sizes.end());
  return reshaped(call, input, sizes);
}

Value ravel(Call& call) {
  return reshaped(call, call.tensor(0), {call.tensor(0).numel()});
}

Value unflatten(Call& call) {
  const Tensor& input = call.tensor(0);
  const int axis = call.axis(1, input.dim());
  Sizes parts = call.ints(2);
  int64_t known = 1;
  for (int64_t part : parts) {
    known *= part == -1 ? 1 : part;
  }
  for (int64_t& part : parts) {
    if (part == -1 && known > 0) {
      part = input.sizes[axis] / known;
    }
  }
  if (numel_of(parts) != input.sizes[axis]) {
    call.raise(
        "RuntimeError",
        "unflatten: Provided sizes " + sizes_text(parts) +
            " don't multiply up to the size of dim " + std::to_string(axis) +
            " (" + std::to_string(input.sizes[axis]) + ") in the input tensor");
  }
  Sizes sizes = input.sizes;
  sizes.erase(sizes.begin() + axis);
  sizes.insert(sizes.begin() + axis, parts.begin(), parts.end());
  return reshaped(call, input, sizes, true);
}

Value transpose(Call& call) {
  const Tensor& input = call.tensor(0);
  return transposed(
      call, input, call.axis(1, input.dim()), call.axis(2, input.dim()));
}

Value t(Call& call) {
  const Tensor& input = call.tensor(0);
  if (input.dim() > 2) {
    call.raise("RuntimeError", "t() expects a tensor with <= 2 dimensions");
  }
  return input.dim() < 2 ? aliased(call, input) : transposed(call, input, 0, 1);
}

Value reversed_axes(Call& call) {
  const Tensor& input = call.tensor(0);
  std::vector<int> axes(input.sizes.size());
  std::iota(axes.rbegin(), axes.rend(), 0);
  return permuted(call, input, axes);
}

Value matrix_transpose(Call& call) {
  const Tensor& input = call.tensor(0);
  if (input.dim() < 2) {
    call.raise(
        "RuntimeError",
        "tensor.mT is only supported on matrices or batches of matrices");
  }
  return transposed(
      call,
      input,
      static_cast<int>(input.dim()) - 2,
      static_cast<int>(input.dim()) - 1);
}

Value permute(Call& call) {
  const Tensor& input = call.tensor(0);
  std::vector<int> axes;
  for (int64_t axis : call.ints(1)) {
    axes.push_back(call.wrap_axis(axis, input.dim()));
  }
  std::vector<int> seen = axes;
  std::sort(seen.begin(), seen.end());
  if (axes.size() != input.sizes.size() ||
      std::unique(seen.begin(), seen.end()) != seen.end()) {
    call.raise(
        "RuntimeError",
        "permute(sparse_coo): number of dimensions in the tensor input does "
        "not match the length of the desired ordering of dimensions");
  }
  return permuted(call, input, axes);
}

Value movedim(Call& call) {
  const Tensor& input = call.tensor(0);
  const Sizes from = call.ints(1), to = call.ints(2);
  const int rank = static_cast<int>(input.dim());
  std::vector<int> order(rank, -1);
  std::vector<bool> moved(rank);
  for (size_t i = 0; i < from.size(); ++i) {
    const int source = call.wrap_axis(from[i], rank);
    order[call.wrap_axis(to[i], rank)] = source;
    moved[source] = true;
  }
  int next = 0;
  for (int& axis : order) {
    if (axis < 0) {
      while (moved[next]) {
        ++next;
      }
      axis = next++;
    }
  }
  return permuted(call, input, order);
}

Value squeeze(Call& call) {
  const Tensor& input = call.tensor(0);
  return squeezed(call, input, call.axes(1, input.dim()));
}

Value unsqueeze(Call& call) {
  const Tensor& input = call.tensor(0);
  return unsqueezed(call, input, call.axis(1, input.dim() + 1));
}

Value expand(Call& call) {
  return expanded(call, call.tensor(0), call.ints(1));
}

Value expand_as(Call& call) {
  return expanded(call, call.tensor(0), call.tensor(1).sizes);
}

Value broadcast_tensors(Call& call) {
  const auto& items = call.args[0].get<eval::Tuple>()->items;
  Sizes sizes;
  for (const Tensor* t : call.tensors(0)) {
    sizes = broadcast_sizes(call, sizes, t->sizes);
  }
  std::vector<Value> out;
  for (const Value& item : items) {
    out.push_back(expanded(call, *as_tensor(item), sizes));
  }
  return eval::tuple(std::move(out));
}

Value narrow(Call& call) {
  const Tensor& input = call.tensor(0);
  const int axis = call.axis(1, input.dim());
  const int64_t size = input.sizes[axis];
  int64_t start = call.integer(2);
  const int64_t length = call.integer(3);
  start += start < 0 ? size : 0;
  if (start < 0 || length < 0 || start + length > size) {
    call.raise(
        "RuntimeError",
        fmt::format(
            "start ({}) + length ({}) exceeds dimension size ({}).",
            start,
            length,
            size));
  }
  return sliced(call, input, axis, start, length);
}

Value select(Call& call) {
  const Tensor& input = call.tensor(0);
  const int axis = call.axis(1, input.dim());
  int64_t at = call.integer(2);
  const int64_t size = input.sizes[axis];
  if (at < -size || at >= size) {
    call.raise(
        "IndexError",
        fmt::format(
            "select(): index {} out of range for tensor of size {} at "
            "dimension {}",
            at,
            sizes_text(input.sizes),
            axis));
  }
  return selected(call, input, axis, at < 0 ? at + size : at);
}

/// The window's main diagonal becomes the last axis.
Value diagonal(Call& call) {
  const Tensor& input = call.tensor(0);
  const int64_t shift = call.integer(1);
  const int a = call.axis(2, input.dim()), b = call.axis(3, input.dim());
  Sizes sizes = input.sizes, strides = input.strides;
  const int64_t length = std::max<int64_t>(
      shift >= 0 ? std::min(sizes[a], sizes[b] - shift)
                 : std::min(sizes[a] + shift, sizes[b]),
      0);
  int64_t offset = input.offset;
  if (length > 0) {
    offset += shift >= 0 ? shift * strides[b] : -shift * strides[a];
  }
  const int64_t stride = strides[a] + strides[b];
  for (int axis : {std::max(a, b), std::min(a, b)}) {
    sizes.erase(sizes.begin() + axis);
    strides.erase(strides.begin() + axis);
  }
  sizes.push_back(length);
  strides.push_back(stride);
  return call.view(
      input,
      std::move(sizes),
      std::move(strides),
      offset,
      mx::diagonal(input.array(), static_cast<int>(shift), a, b));
}

/// Windows of `size` along an axis, `step` apart, as a last axis.
Value unfold(Call& call) {
  const Tensor& input = call.tensor(0);
  const int axis = call.axis(1, input.dim());
  const int64_t size = call.integer(2), step = call.integer(3);
  Sizes sizes = input.sizes, strides = input.strides;
  if (input.dim() == 0 || size > sizes[axis] || step <= 0) {
    call.raise(
        "RuntimeError",
        "maximum size for tensor at dimension " + std::to_string(axis) +
            " is smaller than the window, or the step is not positive");
  }
  sizes.push_back(size);
  strides.push_back(strides[axis]);
  sizes[axis] = (sizes[axis] - size) / step + 1;
  strides[axis] *= step;
  mx::array value = read_window(*input.storage, sizes, strides, input.offset);
  return call.view(input, sizes, strides, input.offset, std::move(value));
}

Value as_strided(Call& call) {
  const Tensor& input = call.tensor(0);
  const Sizes sizes = call.ints(1), strides = call.ints(2);
  const int64_t offset = call.integer(3, input.offset);
  int64_t last = offset;
  for (size_t i = 0; i < sizes.size() && i < strides.size(); ++i) {
    last += (sizes[i] - 1) * strides[i];
  }
  if (sizes.size() != strides.size() || offset < 0 ||
      last >= numel_of(input.storage->sizes)) {
    call.raise("RuntimeError", "as_strided: out of bounds for storage");
  }
  mx::array value = read_window(*input.storage, sizes, strides, offset);
  return call.view(input, sizes, strides, offset, std::move(value));
}

Value alias(Call& call) {
  return aliased(call, call.tensor(0));
}

Value contiguous(Call& call) {
  const Tensor& input = call.tensor(0);
  return input.is_contiguous() ? call.args[0]
                               : call.make(input.array(), input.dtype);
}

Value clone(Call& call) {
  const Tensor& input = call.tensor(0);
  return call.make(
      input.array(), input.dtype, dense_like(input.sizes, input.strides));
}

constexpr OpSpec kShapeOps[] = {
    {"view(input, *shape)", view, "tensor"},
    {"reshape(input, *shape)", reshape, "torch(input, shape); tensor"},
    {"view_as(input, other)", view_as, "tensor"},
    {"reshape_as(input, other)", reshape_as, "tensor"},
    {"flatten(input, start_dim=0, end_dim=-1)", flatten, "torch; tensor"},
    {"ravel(input)", ravel, "torch; tensor"},
    {"unflatten(input, dim, sizes)", unflatten, "torch; tensor"},
    {"transpose(input, dim0, dim1)",
     transpose,
     "torch; torch:swapaxes; torch:swapdims; tensor; tensor:swapaxes; "
     "tensor:swapdims"},
    {"t(input)", t, "torch; tensor"},
    {"T(input)", reversed_axes, "property"},
    {"mT(input)", matrix_transpose, "property; torch:adjoint; tensor:adjoint"},
    {"permute(input, *dims)", permute, "torch(input, dims); tensor"},
    {"movedim(input, source, destination)",
     movedim,
     "torch; torch:moveaxis; tensor; tensor:moveaxis"},
    {"squeeze(input, dim=None)", squeeze, "torch; tensor"},
    {"unsqueeze(input, dim)", unsqueeze, "torch; tensor"},
    {"expand(input, *size)",
     expand,
     "tensor; tensor:broadcast_to; torch:broadcast_to(input, size)"},
    {"expand_as(input, other)", expand_as, "tensor"},
    {"broadcast_tensors(*tensors)", broadcast_tensors, "torch"},
    {"narrow(input, dim, start, length)", narrow, "torch; tensor"},
    {"select(input, dim, index)", select, "torch; tensor"},
    {"diagonal(input, offset=0, dim1=0, dim2=1)",
     diagonal,
     "torch; tensor; linalg(input, *, offset=0, dim1=-2, dim2=-1)"},
    {"unfold(input, dimension, size, step)", unfold, "tensor"},
    {"as_strided(input, size, stride, storage_offset=None)",
     as_strided,
     "torch; tensor"},
    {"detach(input)", alias, "torch; tensor"},
    {"alias(input)", alias, ""},
    {"contiguous(input)", contiguous, "tensor(input, *, memory_format=None)"},
    {"clone(input)",
     clone,
     "torch(input, *, memory_format=None); "
     "tensor(input, *, memory_format=None)"},
};

}  // namespace

std::span<const OpSpec> shape_ops() {
  return kShapeOps;
}

}  // namespace portwright::torch

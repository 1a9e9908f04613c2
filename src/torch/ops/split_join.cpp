#include "torch/dispatch.h"
#include "torch/indexing.h"
#include "torch/readable.h"
#include "torch/shapes.h"

namespace portwright::torch {
namespace {

Value pieces(Call& call, const Tensor& input, int axis, const Sizes& lengths) {
  std::vector<Value> out;
  int64_t start = 0;
  for (int64_t length : lengths) {
    out.push_back(sliced(call, input, axis, start, length));
    start += length;
  }
  return eval::tuple(std::move(out));
}

Sizes equal_pieces(int64_t total, int64_t length) {
  Sizes out;
  for (int64_t start = 0; start < total; start += length) {
    out.push_back(std::min(length, total - start));
  }
  if (out.empty()) {
    out.push_back(0);
  }
  return out;
}

Value split(Call& call) {
  const Tensor& input = call.tensor(0);
  const int axis = call.axis(2, input.dim());
  const int64_t total = input.sizes[axis];
  if (call.args[1].is_integral() || as_tensor(call.args[1])) {
    const int64_t length = call.integer(1);
    if (length <= 0 && total > 0) {
      call.raise(
          "RuntimeError",
          "split_size can only be 0 if dimension size is 0, but got dimension "
          "size of " +
              std::to_string(total));
    }
    return pieces(
        call, input, axis, equal_pieces(total, std::max<int64_t>(length, 1)));
  }
  const Sizes lengths = call.ints(1);
  int64_t sum = 0;
  for (int64_t length : lengths) {
    sum += length;
  }
  if (sum != total) {
    call.raise(
        "RuntimeError",
        fmt::format(
            "split_with_sizes expects split_sizes to sum exactly to {} (input "
            "tensor's size at dimension {}), but got split_sizes={}",
            total,
            axis,
            sizes_text(lengths)));
  }
  return pieces(call, input, axis, lengths);
}

Value chunk(Call& call) {
  const Tensor& input = call.tensor(0);
  const int64_t count = call.integer(1);
  const int axis = call.axis(2, input.dim());
  if (count <= 0) {
    call.raise("RuntimeError", "chunk expects `chunks` to be greater than 0");
  }
  const int64_t total = input.sizes[axis];
  const int64_t length = std::max<int64_t>((total + count - 1) / count, 1);
  if (total == 0) {
    return pieces(call, input, axis, Sizes(count, 0));
  }
  return pieces(call, input, axis, equal_pieces(total, length));
}

Value tensor_split(Call& call) {
  const Tensor& input = call.tensor(0);
  const int axis = call.axis(2, input.dim());
  const int64_t total = input.sizes[axis];
  Sizes lengths;
  if (call.args[1].is_integral()) {
    const int64_t count = call.integer(1);
    for (int64_t i = 0; i < count; ++i) {
      lengths.push_back(total / count + (i < total % count ? 1 : 0));
    }
    return pieces(call, input, axis, lengths);
  }
  int64_t before = 0;
  Sizes ends = call.ints(1);
  ends.push_back(total);
  for (int64_t end : ends) {
    end = std::clamp<int64_t>(end < 0 ? end + total : end, 0, total);
    lengths.push_back(std::max<int64_t>(end - before, 0));
    before = std::max(before, end);
  }
  return pieces(call, input, axis, lengths);
}

Value unbind(Call& call) {
  const Tensor& input = call.tensor(0);
  const int axis = call.axis(1, input.dim());
  std::vector<Value> out;
  for (int64_t i = 0; i < input.sizes[axis]; ++i) {
    out.push_back(selected(call, input, axis, i));
  }
  return eval::tuple(std::move(out));
}

/// The tensors at their common type.
std::vector<mx::array>
promoted(Call& call, const std::vector<const Tensor*>& tensors, Dtype& dtype) {
  ResultType types(call.state.default_dtype);
  for (const Tensor* t : tensors) {
    types.add(*t);
  }
  if (!types.result()) {
    call.raise("RuntimeError", call.op.name + ": the types do not promote");
  }
  dtype = *types.result();
  std::vector<mx::array> out;
  for (const Tensor* t : tensors) {
    out.push_back(cast_array(t->array(), dtype));
  }
  return out;
}

Value joined(Call& call, std::vector<const Tensor*> tensors, int64_t axis) {
  if (tensors.empty()) {
    call.raise("RuntimeError", "expected a non-empty list of Tensors");
  }
  Dtype dtype;
  auto arrays = promoted(call, tensors, dtype);
  // torch lets empty one-dimensional tensors through, whatever the shape.
  std::vector<mx::array> kept;
  for (const mx::array& a : arrays) {
    if (!(a.ndim() == 1 && a.size() == 0)) {
      kept.push_back(a);
    }
  }
  if (kept.empty()) {
    return call.make(arrays[0], dtype);
  }
  const int at = call.wrap_axis(axis, kept[0].ndim());
  for (const mx::array& a : kept) {
    if (a.ndim() == 0) {
      call.raise(
          "RuntimeError",
          "zero-dimensional tensor (at position 0) cannot be concatenated");
    }
    for (size_t i = 0; i < a.ndim(); ++i) {
      if (a.ndim() != kept[0].ndim() ||
          (static_cast<int>(i) != at && a.shape(i) != kept[0].shape(i))) {
        call.raise(
            "RuntimeError",
            fmt::format(
                "Sizes of tensors must match except in dimension {}. Got {} "
                "and {}",
                at,
                sizes_text(to_sizes(kept[0].shape())),
                sizes_text(to_sizes(a.shape()))));
      }
    }
  }
  return call.make(
      kept.size() == 1 ? kept[0] : mx::concatenate(kept, at), dtype);
}

Value cat(Call& call) {
  return joined(call, call.tensors(0), call.integer(1));
}

Value stack(Call& call) {
  Dtype dtype;
  const auto tensors = call.tensors(0);
  if (tensors.empty()) {
    call.raise("RuntimeError", "stack expects a non-empty TensorList");
  }
  for (const Tensor* t : tensors) {
    if (t->sizes != tensors[0]->sizes) {
      call.raise(
          "RuntimeError",
          fmt::format(
              "stack expects each tensor to be equal size, but got {} at entry "
              "0 and {} at another",
              sizes_text(tensors[0]->sizes),
              sizes_text(t->sizes)));
    }
  }
  const auto arrays = promoted(call, tensors, dtype);
  return call.make(
      mx::stack(arrays, call.axis(1, tensors[0]->dim() + 1)), dtype);
}

/// At least `rank` axes, then joined along one.
Value stack_along(Call& call, size_t rank, int axis) {
  std::vector<Value> wide;
  for (const Tensor* t : call.tensors(0)) {
    Sizes sizes = t->sizes;
    if (rank == 2) {  // vstack: new axes in front
      sizes.insert(sizes.begin(), rank - std::min(rank, sizes.size()), 1);
    } else {
      sizes.resize(std::max(rank, sizes.size()), 1);
    }
    wide.push_back(reshaped(call, *t, sizes));
  }
  std::vector<const Tensor*> tensors;
  for (const Value& v : wide) {
    tensors.push_back(as_tensor(v));
  }
  return joined(call, tensors, axis);
}

Value hstack(Call& call) {
  const auto tensors = call.tensors(0);
  const bool flat = !tensors.empty() && tensors[0]->dim() <= 1;
  return stack_along(call, 1, flat ? 0 : 1);
}

Value vstack(Call& call) {
  return stack_along(call, 2, 0);
}

Value repeat(Call& call) {
  const Tensor& input = call.tensor(0);
  const Sizes counts = call.ints(1);
  if (counts.size() < input.sizes.size()) {
    call.raise(
        "RuntimeError",
        "Number of dimensions of repeat dims can not be smaller than number of "
        "dimensions of tensor");
  }
  return call.make(
      mx::tile(input.array(), {counts.begin(), counts.end()}), input.dtype);
}

Value tile(Call& call) {
  const Tensor& input = call.tensor(0);
  Sizes counts = call.ints(1);
  if (counts.size() < input.sizes.size()) {
    counts.insert(counts.begin(), input.sizes.size() - counts.size(), 1);
  }
  return call.make(
      mx::tile(input.array(), {counts.begin(), counts.end()}), input.dtype);
}

/// For each element along the axis, how often it is repeated.
mx::array repeated_positions(const mx::array& counts) {
  const mx::array wide = readable(mx::astype(counts, mx::int64));
  std::vector<int> at;
  for (int64_t i = 0; i < static_cast<int64_t>(wide.size()); ++i) {
    at.insert(at.end(), wide.data<int64_t>()[i], static_cast<int>(i));
  }
  return at.empty()
             ? mx::zeros({0}, mx::int32)
             : mx::array(at.data(), {static_cast<int>(at.size())}, mx::int32);
}

Value repeat_interleave(Call& call) {
  const Tensor& input = call.tensor(0);
  if (!call.has(1)) {  // repeat_interleave(counts)
    return call.make(mx::astype(repeated_positions(input.array()), mx::int64));
  }
  const bool flat = !call.has(2);
  const mx::array x = flat ? mx::reshape(input.array(), {-1}) : input.array();
  const int axis = flat ? 0 : call.axis(2, input.dim());
  const Tensor* counts = as_tensor(call.args[1]);
  if (counts && counts->numel() > 1) {
    if (counts->numel() != x.shape(axis)) {
      call.raise(
          "RuntimeError", "repeats must have the same size as input along dim");
    }
    return call.make(
        mx::take(x, repeated_positions(counts->array()), axis), input.dtype);
  }
  return call.make(
      mx::repeat(x, static_cast<int>(call.integer(1)), axis), input.dtype);
}

Value roll(Call& call) {
  const Tensor& input = call.tensor(0);
  const Sizes shifts = call.ints(1);
  if (!call.has(2)) {
    const mx::array flat = mx::reshape(input.array(), {-1});
    return call.make(
        mx::reshape(
            mx::roll(flat, static_cast<int>(shifts.at(0)), 0),
            input.array().shape()),
        input.dtype);
  }
  mx::array x = input.array();
  const Sizes axes = call.ints(2);
  if (axes.size() != shifts.size()) {
    call.raise(
        "RuntimeError",
        "shifts and dimensions must align. shifts: " +
            std::to_string(shifts.size()) +
            ", dims:" + std::to_string(axes.size()));
  }
  for (size_t i = 0; i < axes.size(); ++i) {
    const int axis = call.wrap_axis(axes[i], input.dim());
    x = mx::roll(x, static_cast<int>(shifts[i]), axis);
  }
  return call.make(x, input.dtype);
}

Value flip(Call& call) {
  const Tensor& input = call.tensor(0);
  std::vector<int> axes;
  for (int64_t axis : call.ints(1)) {
    axes.push_back(call.wrap_axis(axis, input.dim()));
  }
  return call.make(
      axes.empty() ? input.array() : mx::flip(input.array(), axes),
      input.dtype,
      dense_like(input.sizes, input.strides));
}

Value meshgrid(Call& call) {
  auto tensors = call.tensors(0);
  const bool swap = call.text(1, "ij") == "xy" && tensors.size() >= 2;
  Sizes sizes;
  for (const Tensor* t : tensors) {
    sizes.push_back(t->numel());
  }
  if (swap) {
    std::swap(sizes[0], sizes[1]);
  }
  std::vector<Value> out;
  for (size_t i = 0; i < tensors.size(); ++i) {
    const size_t axis = swap && i < 2 ? 1 - i : i;
    Sizes column(tensors.size(), 1);
    column[axis] = sizes[axis];
    const Value stood = reshaped(call, *tensors[i], column);
    out.push_back(expanded(call, *as_tensor(stood), sizes));
  }
  return eval::tuple(std::move(out));
}

Value at_least(Call& call, size_t rank) {
  const Tensor& input = call.tensor(0);
  Sizes sizes = input.sizes;
  while (sizes.size() < rank) {
    // atleast_3d puts its last axis behind.
    sizes.insert(sizes.size() == 2 ? sizes.end() : sizes.begin(), 1);
  }
  return reshaped(call, input, sizes);
}

Value atleast_1d(Call& call) {
  return at_least(call, 1);
}

Value atleast_2d(Call& call) {
  return at_least(call, 2);
}

constexpr OpSpec kSplitJoinOps[] = {
    {"split(input, split_size, dim=0)",
     split,
     "torch; tensor; "
     "tensor:split_with_sizes; torch:split_with_sizes"},
    {"chunk(input, chunks, dim=0)", chunk, "torch; tensor"},
    {"tensor_split(input, indices_or_sections, dim=0)",
     tensor_split,
     "torch; tensor"},
    {"unbind(input, dim=0)", unbind, "torch; tensor"},
    {"cat(tensors, dim=0)", cat, "torch; torch:concat; torch:concatenate"},
    {"stack(tensors, dim=0)", stack, "torch"},
    {"hstack(tensors)", hstack, "torch"},
    {"vstack(tensors)", vstack, "torch; torch:row_stack"},
    {"repeat(input, *repeats)", repeat, "tensor"},
    {"tile(input, *dims)", tile, "torch(input, dims); tensor"},
    {"repeat_interleave(input, repeats=None, dim=None)",
     repeat_interleave,
     "torch(input, repeats=None, dim=None, *, output_size=None); "
     "tensor(input, repeats=None, dim=None, *, output_size=None)"},
    {"roll(input, shifts, dims=None)", roll, "torch; tensor"},
    {"flip(input, *dims)", flip, "torch(input, dims); tensor"},
    {"meshgrid(*tensors, indexing=None)", meshgrid, "torch"},
    {"atleast_1d(input)", atleast_1d, "torch"},
    {"atleast_2d(input)", atleast_2d, "torch"},
};

}  // namespace

std::span<const OpSpec> split_join_ops() {
  return kSplitJoinOps;
}

}  // namespace portwright::torch

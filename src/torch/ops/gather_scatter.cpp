#include "torch/dispatch.h"
#include "torch/indexing.h"
#include "torch/torch.h"

namespace portwright::torch {
namespace {

int int_of(int64_t n) {
  return static_cast<int>(n);
}

/// Rows of a table. Indices out of range raise IndexError.
Value embedding(Call& call) {
  const Tensor &indices = call.tensor(0), &weight = call.tensor(1);
  if (!is_integral(indices.dtype)) {
    call.raise(
        "RuntimeError",
        "Expected tensor for argument #1 'indices' to have one of the "
        "following scalar types: Long, Int; but got " +
            std::string(name(indices.dtype)) + " instead");
  }
  if (weight.dim() != 2) {
    call.raise("RuntimeError", "'weight' must be 2-D");
  }
  const mx::array at =
      checked_index(call, indices.array(), weight.sizes[0], false);
  return call.make(mx::take(weight.array(), at, 0), weight.dtype);
}

/// For each axis but `axis`, the index may be shorter than the input.
void check_index_shape(
    Call& call,
    const Tensor& input,
    const Tensor& index,
    int axis) {
  if (index.dtype != Dtype::Int64 && index.dtype != Dtype::Int32) {
    call.raise(
        "RuntimeError",
        call.op.name + "(): Expected dtype int32/int64 for index");
  }
  bool fits = index.dim() == input.dim() || index.numel() == 0 ||
              (input.dim() <= 1 && index.dim() <= 1);
  for (int64_t i = 0; fits && i < index.dim() && i < input.dim(); ++i) {
    fits &= i == axis || index.sizes[i] <= input.sizes[i];
  }
  if (!fits) {
    call.raise(
        "RuntimeError",
        "Size does not match at dimension: expected index " +
            sizes_text(index.sizes) + " to be no larger than self " +
            sizes_text(input.sizes) + " apart from dimension " +
            std::to_string(axis));
  }
}

/// The part of x that an index of `shape` reaches, all of `axis`.
mx::array cut(const mx::array& x, const mx::Shape& shape, int axis) {
  mx::Shape stop = x.shape();
  for (size_t i = 0; i < stop.size(); ++i) {
    if (int_of(i) != axis) {
      stop[i] = std::min(stop[i], shape[i]);
    }
  }
  return stop == x.shape() ? x : mx::slice(x, mx::Shape(stop.size(), 0), stop);
}

Value gather(Call& call) {
  const Tensor &input = call.tensor(0), &index = call.tensor(2);
  const int axis = call.axis(1, input.dim());
  check_index_shape(call, input, index, axis);
  if (index.numel() == 0) {
    return call.make(
        mx::zeros(to_shape(index.sizes), to_mlx(input.dtype)), input.dtype);
  }
  const mx::array at = checked_index(
      call, index.array(), input.dim() ? input.sizes[axis] : 1, false);
  if (input.dim() == 0 || index.dim() == 0) {
    return call.make(
        mx::reshape(
            mx::take(
                mx::reshape(input.array(), {-1}), mx::reshape(at, {-1}), 0),
            to_shape(index.sizes)),
        input.dtype);
  }
  return call.make(
      mx::take_along_axis(cut(input.array(), at.shape(), axis), at, axis),
      input.dtype);
}

Value take_along_dim(Call& call) {
  const Tensor &input = call.tensor(0), &index = call.tensor(1);
  if (!call.has(2)) {
    const mx::array at =
        checked_index(call, index.array(), input.numel(), true);
    return call.make(
        mx::take(mx::reshape(input.array(), {-1}), mx::reshape(at, {-1}), 0),
        input.dtype);
  }
  const int axis = call.axis(2, input.dim());
  const mx::array at =
      checked_index(call, index.array(), input.sizes[axis], true);
  return call.make(mx::take_along_axis(input.array(), at, axis), input.dtype);
}

Value take(Call& call) {
  const Tensor &input = call.tensor(0), &index = call.tensor(1);
  const mx::array at = checked_index(call, index.array(), input.numel(), true);
  return call.make(
      mx::take(mx::reshape(input.array(), {-1}), at, 0), input.dtype);
}

Value index_select(Call& call) {
  const Tensor &input = call.tensor(0), &index = call.tensor(2);
  const int axis = call.axis(1, input.dim());
  if (index.dim() > 1) {
    call.raise(
        "IndexError", "index_select(): Index is supposed to be a vector");
  }
  const mx::array at = mx::reshape(
      checked_index(
          call, index.array(), input.dim() ? input.sizes[axis] : 1, false),
      {-1});
  if (input.dim() == 0) {
    return call.make(input.array(), input.dtype);
  }
  return call.make(mx::take(input.array(), at, axis), input.dtype);
}

/// How new elements meet old ones.
enum class Reduce { Assign, Add, Multiply, Max, Min };

Reduce reduce_named(Call& call, const std::string& name) {
  if (name.empty()) {
    return Reduce::Assign;
  }
  if (name == "add" || name == "sum") {
    return Reduce::Add;
  }
  if (name == "multiply" || name == "prod") {
    return Reduce::Multiply;
  }
  if (name == "amax") {
    return Reduce::Max;
  }
  if (name == "amin") {
    return Reduce::Min;
  }
  call.refuse_operation("the reduction '" + name + "'");
}

mx::array scattered(
    const mx::array& x,
    const std::vector<mx::array>& at,
    const mx::array& updates,
    const std::vector<int>& axes,
    Reduce reduce) {
  switch (reduce) {
    case Reduce::Assign:
      return mx::scatter(x, at, updates, axes);
    case Reduce::Add:
      return mx::scatter_add(x, at, updates, axes);
    case Reduce::Multiply:
      return mx::scatter_prod(x, at, updates, axes);
    case Reduce::Max:
      return mx::scatter_max(x, at, updates, axes);
    case Reduce::Min:
      return mx::scatter_min(x, at, updates, axes);
  }
  return x;
}

/// What to put in the reached places so that their old values do not count.
mx::array neutral(const mx::array& updates, Reduce reduce) {
  switch (reduce) {
    case Reduce::Add:
      return mx::zeros_like(updates);
    case Reduce::Multiply:
      return mx::ones_like(updates);
    default:
      return updates;  // any of them changes no extreme
  }
}

/// x[i][index[i][j]] (op)= source[i][j] along `axis`. A later element wins
/// over an earlier one. Without `include_self` the old value of a place that
/// is reached does not count.
Value scatter_with(Call& call, Reduce reduce, bool include_self = true) {
  const Tensor &input = call.tensor(0), &index = call.tensor(2);
  const int axis = call.axis(1, input.dim());
  check_index_shape(call, input, index, axis);
  const Dtype dtype = input.dtype;
  if (index.numel() == 0) {
    return call.make(input.array(), dtype);
  }
  mx::array at = checked_index(
      call, index.array(), input.dim() ? input.sizes[axis] : 1, false);
  mx::array source = mx::array(0);
  if (const Tensor* t = as_tensor(call.args[3]); t && t->dim() > 0) {
    if (t->dtype != dtype) {
      call.raise(
          "RuntimeError",
          "scatter(): Expected self.dtype to be equal to src.dtype");
    }
    source = t->array();
    for (size_t i = 0; i < at.ndim(); ++i) {
      if (source.ndim() != at.ndim() || source.shape(i) < at.shape(i)) {
        call.raise(
            "RuntimeError",
            "Expected index " + sizes_text(index.sizes) +
                " to be no larger than src " + sizes_text(t->sizes));
      }
    }
    source = mx::slice(source, mx::Shape(at.ndim(), 0), at.shape());
  } else {
    source = mx::broadcast_to(
        t ? cast_array(t->array(), dtype) : number_array(call.args[3], dtype),
        at.shape());
  }
  if (input.dim() == 0) {
    at = mx::reshape(at, {-1});
    source = mx::reshape(source, {-1});
  }
  const mx::array x =
      input.dim() == 0 ? mx::reshape(input.array(), {1}) : input.array();
  const int rank = int_of(at.ndim());
  std::vector<mx::array> places;
  std::vector<int> axes;
  for (int i = 0; i < rank; ++i) {
    axes.push_back(i);
    if (i == axis) {
      places.push_back(mx::reshape(at, {-1}));
      continue;
    }
    mx::Shape shape(rank, 1);
    shape[i] = at.shape(i);
    places.push_back(mx::reshape(
        mx::broadcast_to(
            mx::reshape(
                mx::arange(0.0, double(at.shape(i)), 1.0, mx::int64), shape),
            at.shape()),
        {-1}));
  }
  mx::Shape update(rank + 1, 1);
  update[0] = int_of(at.size());
  const Dtype compute = reduce == Reduce::Assign ? dtype : compute_dtype(dtype);
  const mx::array updates = cast_array(mx::reshape(source, update), compute);
  mx::array out = cast_array(x, compute);
  if (!include_self) {
    out = mx::scatter(out, places, neutral(updates, reduce), axes);
  }
  out = scattered(out, places, updates, axes, reduce);
  return call.make(
      mx::reshape(cast_array(out, dtype), to_shape(input.sizes)), dtype);
}

/// scatter(input, dim, index, src, reduce=None)
Value scatter(Call& call) {
  if (!call.has(3)) {
    const Value args[] = {
        call.args[0],
        call.args[1],
        call.args[2],
        call.args[5],
        call.args[4],
        Value::none()};
    Call inner(call.interp, call.state, call.op, args);
    return scatter_with(inner, reduce_named(inner, inner.text(4, "")));
  }
  return scatter_with(call, reduce_named(call, call.text(4, "")));
}

Value scatter_add(Call& call) {
  return scatter_with(call, Reduce::Add);
}

Value scatter_reduce(Call& call) {
  return scatter_with(
      call, reduce_named(call, call.text(4, "")), call.boolean(5, true));
}

/// Slices of `source` meet slices of the input at `index` along `axis`.
Value index_with(Call& call, Reduce reduce, double alpha) {
  const Tensor &input = call.tensor(0), &index = call.tensor(2);
  const int axis = call.axis(1, input.dim());
  const Dtype dtype = input.dtype;
  const Dtype compute = reduce == Reduce::Assign ? dtype : compute_dtype(dtype);
  const mx::array at = mx::reshape(
      checked_index(call, index.array(), input.sizes.at(axis), true), {-1});
  mx::Shape slice = to_shape(input.sizes);
  slice[axis] = int_of(at.size());
  mx::array source = mx::array(0);
  if (const Tensor* t = as_tensor(call.args[3])) {
    if (t->dtype != dtype) {
      call.raise(
          "RuntimeError",
          call.op.name + "(): self and source must have the same scalar type");
    }
    if (t->dim() > 0 && to_shape(t->sizes) != slice) {
      call.raise(
          "RuntimeError",
          call.op.name + "(): source " + sizes_text(t->sizes) +
              " does not match the indexed slices " +
              sizes_text(to_sizes(slice)));
    }
    source = mx::broadcast_to(t->array(), slice);
  } else {
    source = mx::broadcast_to(number_array(call.args[3], dtype), slice);
  }
  if (at.size() == 0) {
    return call.make(input.array(), dtype);
  }
  // (index, 1 at the axis, the other axes)
  mx::array updates = mx::moveaxis(cast_array(source, compute), axis, 0);
  updates = mx::expand_dims(updates, axis + 1);
  if (alpha != 1) {
    updates = updates * mx::array(alpha, updates.dtype());
  }
  return call.make(
      cast_array(
          scattered(
              cast_array(input.array(), compute),
              {at},
              updates,
              {axis},
              reduce),
          dtype),
      dtype);
}

Value index_add(Call& call) {
  return index_with(call, Reduce::Add, call.real(4));
}

Value index_copy(Call& call) {
  return index_with(call, Reduce::Assign, 1);
}

Value index_fill(Call& call) {
  return index_with(call, Reduce::Assign, 1);
}

/// input[indices] = values, or += them.
Value index_put(Call& call) {
  const Tensor& input = call.tensor(0);
  if (call.boolean(3)) {
    call.refuse_argument(3, "accumulating is not known");
  }
  Value copy = call.make(input.array(), input.dtype);
  set_item(
      call,
      *as_tensor(copy),
      eval::tuple(call.interp.to_vector(call.args[1])),
      call.args[2]);
  return copy;
}

/// Elements of `source`, in order, where the mask is true.
Value masked_scatter(Call& call) {
  const Tensor &input = call.tensor(0), &mask = call.tensor(1),
               &source = call.tensor(2);
  if (mask.dtype != Dtype::Bool || source.dtype != input.dtype) {
    call.raise(
        "RuntimeError",
        "masked_scatter_: expected BoolTensor for mask, and self and source "
        "to have same dtypes");
  }
  const Sizes sizes = broadcast_sizes(call, input.sizes, mask.sizes);
  const mx::Shape shape = to_shape(sizes);
  const mx::array where = mx::broadcast_to(mask.array(), shape);
  const mx::array flat = mx::reshape(mx::astype(where, mx::int64), {-1});
  const mx::array order =
      mx::cumsum(flat, 0) - mx::array(int64_t{1}, mx::int64);
  const int64_t needed = mx::sum(flat, false).item<int64_t>();
  if (needed > source.numel()) {
    call.raise(
        "RuntimeError",
        "masked_scatter: expected `source` to have at least as many elements "
        "as there are true ones in `mask`");
  }
  if (needed == 0) {
    return call.make(mx::broadcast_to(input.array(), shape), input.dtype);
  }
  const mx::array zero = mx::array(int64_t{0}, mx::int64);
  const mx::array last = mx::array(source.numel() - 1, mx::int64);
  const mx::array picked = mx::reshape(
      mx::take(
          mx::reshape(source.array(), {-1}),
          mx::minimum(mx::maximum(order, zero), last),
          0),
      shape);
  return call.make(mx::where(where, picked, input.array()), input.dtype);
}

Value masked_select(Call& call) {
  const Tensor &input = call.tensor(0), &mask = call.tensor(1);
  const mx::Shape shape =
      to_shape(broadcast_sizes(call, input.sizes, mask.sizes));
  const Value wide =
      call.make(mx::broadcast_to(input.array(), shape), input.dtype);
  const Value where = call.make(mx::broadcast_to(mask.array(), shape));
  return get_item(call, *as_tensor(wide), where);
}

Value nonzero(Call& call) {
  return call.boolean(1) ? nonzero_tuple(call, call.tensor(0))
                         : call.make(nonzero_positions(call, call.tensor(0)));
}

Value getitem(Call& call) {
  return get_item(call, call.tensor(0), call.args[1]);
}

constexpr OpSpec kGatherScatterOps[] = {
    {"embedding(input, weight)",
     embedding,
     "F(input, weight, padding_idx=None, max_norm=None, norm_type=2.0, "
     "scale_grad_by_freq=False, sparse=False); "
     "torch(weight, input, padding_idx=-1, scale_grad_by_freq=False, "
     "sparse=False)"},
    {"gather(input, dim, index)",
     gather,
     "torch(input, dim, index, *, sparse_grad=False); "
     "tensor(input, dim, index, *, sparse_grad=False)"},
    {"take_along_dim(input, indices, dim=None)",
     take_along_dim,
     "torch; tensor"},
    {"take(input, index)", take, "torch; tensor"},
    {"index_select(input, dim, index)", index_select, "torch; tensor"},
    {"scatter(input, dim, index, src=None, reduce=None, value=None)",
     scatter,
     "torch(input, dim, index, src=None, *, reduce=None, value=None); tensor; "
     "inplace"},
    {"scatter_add(input, dim, index, src)",
     scatter_add,
     "torch; tensor; inplace"},
    {"scatter_reduce(input, dim, index, src, reduce, include_self=True)",
     scatter_reduce,
     "torch; tensor; inplace"},
    {"index_add(input, dim, index, source, alpha=1)",
     index_add,
     "torch(input, dim, index, source, *, alpha=1); tensor; inplace"},
    {"index_copy(input, dim, index, source)",
     index_copy,
     "torch; tensor; inplace"},
    {"index_fill(input, dim, index, value)",
     index_fill,
     "torch; tensor; inplace"},
    {"index_put(input, indices, values, accumulate=False)",
     index_put,
     "torch; tensor; inplace"},
    {"masked_scatter(input, mask, source)",
     masked_scatter,
     "torch; tensor; inplace"},
    {"masked_select(input, mask)", masked_select, "torch; tensor"},
    {"nonzero(input, as_tuple=False)",
     nonzero,
     "torch(input, *, as_tuple=False); tensor; torch:argwhere(input); "
     "tensor:argwhere(input)"},
    {"getitem(input, index)", getitem, "tensor:__getitem__"},
};

}  // namespace

std::span<const OpSpec> gather_scatter_ops() {
  return kGatherScatterOps;
}

}  // namespace portwright::torch

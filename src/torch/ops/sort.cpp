#include <algorithm>
#include <cmath>

#include "torch/backend.h"
#include "torch/dispatch.h"
#include "torch/elementwise.h"
#include "torch/indexing.h"
#include "torch/torch.h"

namespace portwright::torch {
namespace {

/// Where each element of the sorted axis comes from; equal elements stay in
/// order. NaN counts as largest. int64.
mx::array sorted_order(const mx::array& x, int axis, bool descending) {
  const mx::array key = x.dtype() == mx::bool_ ? mx::astype(x, mx::uint8) : x;
  if (!descending) {
    return mx::astype(mx::argsort(key, axis), mx::int64);
  }
  // Read backwards, sorted, read backwards again: stable and falling.
  const mx::array back = mx::argsort(mx::flip(key, axis), axis);
  const mx::array last = mx::array(int64_t{x.shape(axis)} - 1, mx::int64);
  return last - mx::astype(mx::flip(back, axis), mx::int64);
}

Value pair_of(
    Call& call,
    const Tensor& input,
    const mx::array& order,
    int axis,
    const Sizes& strides = {}) {
  return call.values_indices(
      call.make(
          mx::take_along_axis(input.array(), order, axis),
          input.dtype,
          strides),
      call.make(order, Dtype::Int64, strides));
}

Value scalar_pair(Call& call, const Tensor& input) {
  return call.values_indices(
      call.make(input.array(), input.dtype),
      call.make(mx::zeros({}, mx::int64)));
}

Value sort(Call& call) {
  const Tensor& input = call.tensor(0);
  const int axis = call.axis(1, input.dim());
  if (input.dim() == 0) {
    return scalar_pair(call, input);
  }
  return pair_of(
      call,
      input,
      sorted_order(input.array(), axis, call.boolean(2)),
      axis,
      dense_like(input.sizes, input.strides));
}

Value argsort(Call& call) {
  const Tensor& input = call.tensor(0);
  const int axis = call.axis(1, input.dim());
  if (input.dim() == 0) {
    return call.make(mx::zeros({}, mx::int64));
  }
  return call.make(
      sorted_order(input.array(), axis, call.boolean(2)),
      Dtype::Int64,
      dense_like(input.sizes, input.strides));
}

mx::array first_of(const mx::array& x, int axis, int count) {
  mx::Shape stop = x.shape();
  stop[axis] = count;
  return mx::slice(x, mx::Shape(stop.size(), 0), stop);
}

/// Of each row of `x` (n, size) the k best, in order. Which of equal elements
/// are taken, torch leaves to the C++ library's selection, and so do we.
mx::array best_of_rows(const mx::array& x, int k, bool largest) {
  mx::array rows = mx::contiguous(mx::astype(x, mx::float32));
  rows.eval();
  const int count = rows.shape(0), size = rows.shape(1);
  using Entry = std::pair<float, int64_t>;
  const auto before = [largest](const Entry& a, const Entry& b) {
    const bool a_nan = std::isnan(a.first), b_nan = std::isnan(b.first);
    return largest ? (a_nan && !b_nan) || a.first > b.first
                   : (!a_nan && b_nan) || a.first < b.first;
  };
  std::vector<int64_t> out;
  out.reserve(static_cast<size_t>(count) * k);
  std::vector<Entry> queue(size);
  for (int r = 0; r < count && k > 0; ++r) {
    const float* row = rows.data<float>() + static_cast<size_t>(r) * size;
    for (int i = 0; i < size; ++i) {
      queue[i] = {row[i], i};
    }
    if (int64_t{k} * 64 <= size) {
      std::partial_sort(queue.begin(), queue.begin() + k, queue.end(), before);
    } else {
      std::nth_element(
          queue.begin(), queue.begin() + k - 1, queue.end(), before);
      std::sort(queue.begin(), queue.begin() + k - 1, before);
    }
    for (int i = 0; i < k; ++i) {
      out.push_back(queue[i].second);
    }
  }
  return mx::array(out.data(), {count, k}, mx::int64);
}

/// Whether float32 holds every element of the type.
bool fits_float32(Dtype dtype) {
  return dtype == Dtype::Float32 || is_half(dtype);
}

/// Always sorted here.
Value topk(Call& call) {
  const Tensor& input = call.tensor(0);
  const int axis = call.axis(2, input.dim());
  const int64_t k = call.integer(1);
  const int64_t size = input.dim() ? input.sizes[axis] : 1;
  if (k < 0 || k > size) {
    call.raise("RuntimeError", "selected index k out of range");
  }
  if (input.dim() == 0) {
    return scalar_pair(call, input);
  }
  const bool largest = call.boolean(3, true);
  if (!fits_float32(input.dtype) || input.numel() == 0) {
    return pair_of(
        call,
        input,
        first_of(
            sorted_order(input.array(), axis, largest),
            axis,
            static_cast<int>(k)),
        axis);
  }
  const mx::array last = mx::moveaxis(input.array(), axis, -1);
  mx::Shape shape = last.shape();
  const mx::array best = best_of_rows(
      mx::reshape(last, {-1, shape.back()}), static_cast<int>(k), largest);
  shape.back() = static_cast<int>(k);
  return pair_of(
      call, input, mx::moveaxis(mx::reshape(best, shape), -1, axis), axis);
}

Value kthvalue(Call& call) {
  const Tensor& input = call.tensor(0);
  const int axis = call.axis(2, input.dim());
  const int k = static_cast<int>(call.integer(1));
  if (input.dim() == 0 || k < 1 || k > input.sizes[axis]) {
    call.raise("RuntimeError", "kthvalue(): selected number k out of range");
  }
  mx::array at = mx::take(
      sorted_order(input.array(), axis, false), mx::array({k - 1}), axis);
  mx::array values = mx::take_along_axis(input.array(), at, axis);
  if (!call.boolean(3)) {
    at = mx::squeeze(at, axis);
    values = mx::squeeze(values, axis);
  }
  return call.values_indices(
      call.make(values, input.dtype), call.make(at, Dtype::Int64));
}

/// The lower of the two middle elements.
Value median(Call& call) {
  const Tensor& input = call.tensor(0);
  const bool flat = !call.has(1);
  const mx::array x = flat ? mx::reshape(input.array(), {-1}) : input.array();
  const int axis = flat ? 0 : call.axis(1, input.dim());
  const Value source = call.make(x, input.dtype);
  const Value args[] = {
      source,
      Value::integer((x.shape(axis) - 1) / 2 + 1),
      Value::integer(axis),
      Value::boolean(call.boolean(2))};
  const Value pair = run_op(call.interp, *find_op("kthvalue"), args);
  return flat ? pair.get<eval::Tuple>()->items[0] : pair;
}

/// Counts of sorted elements below each value.
mx::array
insertion_points(const mx::array& sorted, const mx::array& values, bool right) {
  const mx::array lanes = mx::expand_dims(sorted, -2);
  const mx::array asked = mx::expand_dims(values, -1);
  const mx::array below =
      right ? mx::less_equal(lanes, asked) : mx::less(lanes, asked);
  return mx::sum(mx::astype(below, mx::int64), -1, false);
}

Value search(
    Call& call,
    const Value& sorted,
    const Value& values,
    bool right,
    bool int32) {
  const Value operands[] = {sorted, values};
  Call inner(call.interp, call.state, call.op, operands);
  ResultType types(call.state.default_dtype);
  types.add(inner.tensor(0));
  const Tensor* asked = as_tensor(values);
  asked ? types.add(*asked) : types.add_number(values);
  const Dtype dtype = types.result().value_or(Dtype::Float32);
  mx::array line = cast_array(inner.array(0), dtype);
  mx::array wanted =
      asked ? cast_array(asked->array(), dtype) : number_array(values, dtype);
  const mx::Shape shape = wanted.shape();
  if (line.ndim() == 1) {
    wanted = mx::reshape(wanted, {-1});
  }
  mx::array at = mx::reshape(insertion_points(line, wanted, right), shape);
  const Dtype out = int32 ? Dtype::Int32 : Dtype::Int64;
  return call.cast(at, out);
}

/// Arguments: sorted_sequence, input, out_int32, right, side, sorter.
Value searchsorted(Call& call) {
  const bool right = call.boolean(3) || call.text(4, "left") == "right";
  if (call.has(5)) {
    call.refuse_argument(5, "sort first");
  }
  return search(call, call.args[0], call.args[1], right, call.boolean(2));
}

/// Arguments: input, boundaries, out_int32, right.
Value bucketize(Call& call) {
  return search(
      call, call.args[1], call.args[0], call.boolean(3), call.boolean(2));
}

/// How many elements fall in each of `bins` equal parts of [min, max]; the
/// last part includes its end.
Value histc(Call& call) {
  const Tensor& input = call.tensor(0);
  const int bins = static_cast<int>(call.integer(1));
  if (!is_floating_point(input.dtype)) {
    call.raise(
        "RuntimeError",
        "\"histogram_cpu\" not implemented for '" +
            std::string(name(input.dtype)) + "'");
  }
  const mx::array x =
      mx::reshape(cast_array(input.array(), compute_dtype(input.dtype)), {-1});
  double low = call.real(2), high = call.real(3);
  if (low == high && x.size() > 0) {
    low = element(Dtype::Float32, mx::min(x, false)).as_double();
    high = element(Dtype::Float32, mx::max(x, false)).as_double();
  }
  if (low == high) {
    low -= 1;
    high += 1;
  }
  const mx::array inside = mx::logical_and(
      mx::greater_equal(x, like(low, x)), mx::less_equal(x, like(high, x)));
  const mx::array position = mx::minimum(
      mx::astype(
          mx::floor((x - like(low, x)) * like(bins / (high - low), x)),
          mx::int32),
      mx::array(bins - 1));
  const mx::array hits = mx::logical_and(
      mx::equal(
          mx::expand_dims(position, 1),
          mx::reshape(mx::arange(bins), {1, bins})),
      mx::expand_dims(inside, 1));
  return call.cast(mx::sum(mx::astype(hits, x.dtype()), 0, false), input.dtype);
}

Value bincount(Call& call) {
  const Tensor& input = call.tensor(0);
  if (input.dim() != 1 || !is_integral(input.dtype)) {
    call.raise(
        "RuntimeError",
        "bincount only supports 1-d non-negative integral inputs.");
  }
  const mx::array x = mx::astype(input.array(), mx::int64);
  int64_t count = call.integer(2, 0);
  if (x.size() > 0) {
    count = std::max(count, mx::max(x, false).item<int64_t>() + 1);
    if (mx::min(x, false).item<int64_t>() < 0) {
      call.raise(
          "RuntimeError",
          "bincount only supports 1-d non-negative integral inputs.");
    }
  }
  const int n = static_cast<int>(count);
  const Tensor* weights = call.tensor_or_null(1);
  const mx::Dtype type = !weights ? mx::int64
                         : weights->dtype == Dtype::Float32
                             ? mx::float32
                             : Backend::widest_float();
  if (x.size() == 0) {
    return call.make(mx::zeros({n}, type));
  }
  const mx::array each =
      weights ? mx::astype(weights->array(), type) : mx::ones(x.shape(), type);
  return call.make(mx::scatter_add(
      mx::zeros({n}, type),
      x,
      mx::reshape(each, {static_cast<int>(x.size()), 1}),
      0));
}

/// Where runs of equal elements begin: a flag each, and their positions.
std::pair<mx::array, mx::array> runs_of(Call& call, const mx::array& line) {
  const int n = line.shape(0);
  const mx::array fresh = mx::concatenate(
      {mx::array({true}),
       mx::not_equal(mx::slice(line, {1}, {n}), mx::slice(line, {0}, {n - 1}))},
      0);
  const Value flags = call.make(fresh, Dtype::Bool);
  return {fresh, mx::reshape(nonzero_positions(call, *as_tensor(flags)), {-1})};
}

mx::array run_lengths(const mx::array& starts, int n) {
  const mx::array ends = mx::concatenate(
      {mx::slice(starts, {1}, {starts.shape(0)}), mx::array({n}, mx::int64)},
      0);
  return ends - starts;
}

mx::array run_numbers(const mx::array& fresh) {
  return mx::cumsum(mx::astype(fresh, mx::int64), 0) -
         mx::array(int64_t{1}, mx::int64);
}

Value unique_consecutive(Call& call) {
  const Tensor& input = call.tensor(0);
  const mx::array flat = mx::reshape(input.array(), {-1});
  if (call.has(3) || flat.size() == 0) {
    call.refuse_operation("unique_consecutive along an axis, or of nothing");
  }
  const auto [fresh, starts] = runs_of(call, flat);
  std::vector<Value> out{call.make(mx::take(flat, starts, 0), input.dtype)};
  if (call.boolean(1)) {
    out.push_back(
        call.make(mx::reshape(run_numbers(fresh), input.array().shape())));
  }
  if (call.boolean(2)) {
    out.push_back(call.make(run_lengths(starts, flat.shape(0))));
  }
  return out.size() == 1 ? out[0] : eval::tuple(std::move(out));
}

/// Sorted distinct elements; with inverse and counts on demand.
Value unique(Call& call) {
  const Tensor& input = call.tensor(0);
  const bool inverse = call.boolean(2), counts = call.boolean(3);
  if (call.has(4)) {
    call.refuse_argument(4, "only distinct elements of all axes are known");
  }
  const mx::array flat = mx::reshape(input.array(), {-1});
  if (flat.size() == 0) {
    const Value none = call.make(mx::zeros({0}, mx::int64));
    return inverse || counts
               ? eval::tuple({call.make(flat, input.dtype), none, none})
               : call.make(flat, input.dtype);
  }
  const mx::array order = sorted_order(flat, 0, false);
  const mx::array sorted = mx::take(flat, order, 0);
  const int n = sorted.shape(0);
  const auto [fresh, starts] = runs_of(call, sorted);
  std::vector<Value> out{call.make(mx::take(sorted, starts, 0), input.dtype)};
  if (inverse) {
    const mx::array group = run_numbers(fresh);
    out.push_back(call.make(mx::reshape(
        mx::scatter(
            mx::zeros({n}, mx::int64), order, mx::reshape(group, {n, 1}), 0),
        input.array().shape())));
  }
  if (counts) {
    out.push_back(call.make(run_lengths(starts, n)));
  }
  return out.size() == 1 ? out[0] : eval::tuple(std::move(out));
}

constexpr OpSpec kSortOps[] = {
    {"sort(input, dim=-1, descending=False)",
     sort,
     "torch(input, dim=-1, descending=False, stable=False); "
     "tensor(input, dim=-1, descending=False, stable=False)"},
    {"argsort(input, dim=-1, descending=False)",
     argsort,
     "torch(input, dim=-1, descending=False, stable=False); "
     "tensor(input, dim=-1, descending=False, stable=False)"},
    {"topk(input, k, dim=-1, largest=True)",
     topk,
     "torch(input, k, dim=-1, largest=True, sorted=True); "
     "tensor(input, k, dim=-1, largest=True, sorted=True)"},
    {"kthvalue(input, k, dim=-1, keepdim=False)", kthvalue, "torch; tensor"},
    {"median(input, dim=None, keepdim=False)", median, "torch; tensor"},
    {"searchsorted(sorted_sequence, input, out_int32=False, right=False, "
     "side=None, sorter=None)",
     searchsorted,
     "torch(sorted_sequence, input, *, out_int32=False, right=False, "
     "side=None, sorter=None)"},
    {"bucketize(input, boundaries, out_int32=False, right=False)",
     bucketize,
     "torch(input, boundaries, *, out_int32=False, right=False)"},
    {"histc(input, bins=100, min=0, max=0)", histc, "torch; tensor"},
    {"bincount(input, weights=None, minlength=0)", bincount, "torch; tensor"},
    {"unique(input, sorted=True, return_inverse=False, return_counts=False, "
     "dim=None)",
     unique,
     "torch; tensor"},
    {"unique_consecutive(input, return_inverse=False, return_counts=False, "
     "dim=None)",
     unique_consecutive,
     "torch; tensor"},
};

}  // namespace

std::span<const OpSpec> sort_ops() {
  return kSortOps;
}

}  // namespace portwright::torch

#include "torch/dispatch.h"
#include "torch/elementwise.h"
#include "torch/reduce.h"

namespace portwright::torch {
namespace {

using Scan = mx::array (*)(
    const mx::array&,
    int,
    bool,
    bool,
    std::optional<mx::Dtype>,
    mx::StreamOrDevice);

/// Integers accumulate in int64.
template <Scan F>
Value scan(Call& call) {
  const Tensor& input = call.tensor(0);
  const int axis = call.axis(1, input.dim());
  const Dtype dtype = call.dtype(
      2, is_integral(input.dtype, true) ? Dtype::Int64 : input.dtype);
  const mx::array x = cast_array(input.array(), compute_dtype(dtype));
  if (input.dim() == 0 || input.numel() == 0) {
    return call.cast(x, dtype);
  }
  return call.cast(F(x, axis, false, true, std::nullopt, {}), dtype);
}

/// Running maximum and where it was last reached.
Value cum_extreme(Call& call, bool largest) {
  const Tensor& input = call.tensor(0);
  const int axis = call.axis(1, input.dim());
  const mx::array& x = input.array();
  if (input.dim() == 0) {
    return call.values_indices(
        call.make(x), call.make(mx::zeros({}, mx::int64)));
  }
  const mx::array values = largest ? mx::cummax(x, axis) : mx::cummin(x, axis);
  mx::Shape shape(x.ndim(), 1);
  shape[axis] = x.shape(axis);
  const mx::array places = mx::reshape(
      mx::arange(0.0, double(x.shape(axis)), 1.0, mx::int32), shape);
  const mx::array reached =
      mx::where(mx::equal(x, values), places, mx::array(0, mx::int32));
  return call.values_indices(
      call.make(values, input.dtype),
      call.make(mx::astype(mx::cummax(reached, axis), mx::int64)));
}

Value cummax(Call& call) {
  return cum_extreme(call, true);
}

Value cummin(Call& call) {
  return cum_extreme(call, false);
}

Value logcumsumexp(Call& call) {
  auto e = elementwise(call, {0}, Promotion::ToFloat);
  return call.cast(
      mx::logcumsumexp(e.in[0], call.axis(1, e.sizes.size()), false, true),
      e.dtype);
}

Value diff(Call& call) {
  const Tensor& input = call.tensor(0);
  const int axis = call.axis(2, input.dim());
  std::vector<mx::array> parts;
  if (call.has(3)) {
    parts.push_back(call.array(3));
  }
  parts.push_back(input.array());
  if (call.has(4)) {
    parts.push_back(call.array(4));
  }
  mx::array x = parts.size() == 1 ? parts[0] : mx::concatenate(parts, axis);
  for (int64_t i = 0; i < call.integer(1); ++i) {
    const int n = x.shape(axis);
    mx::Shape begin(x.ndim(), 0), end = x.shape();
    begin[axis] = std::min(1, n);
    const mx::array later = mx::slice(x, begin, end);
    begin[axis] = 0;
    end[axis] = std::max(n - 1, 0);
    const mx::array earlier = mx::slice(x, begin, end);
    x = input.dtype == Dtype::Bool ? mx::not_equal(later, earlier)
                                   : later - earlier;
  }
  return call.make(x, input.dtype);
}

constexpr OpSpec kScanOps[] = {
    {"cumsum(input, dim, dtype=None)",
     scan<mx::cumsum>,
     "torch(input, dim, *, dtype=None); tensor; inplace"},
    {"cumprod(input, dim, dtype=None)",
     scan<mx::cumprod>,
     "torch(input, dim, *, dtype=None); tensor; inplace"},
    {"cummax(input, dim)", cummax, "torch; tensor"},
    {"cummin(input, dim)", cummin, "torch; tensor"},
    {"logcumsumexp(input, dim)", logcumsumexp, "torch; tensor"},
    {"diff(input, n=1, dim=-1, prepend=None, append=None)",
     diff,
     "torch; tensor"},
};

}  // namespace

std::span<const OpSpec> scan_ops() {
  return kScanOps;
}

}  // namespace portwright::torch

#include <cmath>

#include "torch/dispatch.h"
#include "torch/elementwise.h"
#include "torch/reduce.h"
#include "torch/torch.h"

namespace portwright::torch {

mx::array first_arg_max(const mx::array& x, int axis) {
  mx::array at = mx::argmax(x, axis, true);
  if (mx::issubdtype(x.dtype(), mx::inexact)) {
    const mx::array nan = mx::isnan(x);
    at = mx::where(mx::any(nan, axis, true), mx::argmax(nan, axis, true), at);
  }
  return mx::astype(at, mx::int64);
}

mx::array first_arg_min(const mx::array& x, int axis) {
  mx::array at = mx::argmin(x, axis, true);
  if (mx::issubdtype(x.dtype(), mx::inexact)) {
    const mx::array nan = mx::isnan(x);
    at = mx::where(mx::any(nan, axis, true), mx::argmax(nan, axis, true), at);
  }
  return mx::astype(at, mx::int64);
}

namespace {

/// A reduction's operand: cast to the type it accumulates in.
struct Reduction {
  mx::array x;
  Dtype dtype;  // of the result
  std::vector<int> axes;
  bool keep;
};

/// Arguments: input, dim, keepdim and, at `dtype_at`, dtype.
Reduction reduction(Call& call, int dtype_at, bool integers_to_int64) {
  const Tensor& input = call.tensor(0);
  Dtype dtype = input.dtype;
  if (integers_to_int64 && is_integral(dtype, true)) {
    dtype = Dtype::Int64;
  }
  if (dtype_at >= 0) {
    dtype = call.dtype(dtype_at, dtype);
  }
  return {
      cast_array(input.array(), compute_dtype(dtype)),
      dtype,
      call.axes(1, input.dim()),
      call.boolean(2)};
}

Value sum(Call& call) {
  auto r = reduction(call, 3, true);
  return call.cast(mx::sum(r.x, r.axes, r.keep), r.dtype);
}

Value nansum(Call& call) {
  auto r = reduction(call, 3, true);
  return call.cast(
      mx::sum(mx::where(mx::isnan(r.x), like(0, r.x), r.x), r.axes, r.keep),
      r.dtype);
}

Value prod(Call& call) {
  auto r = reduction(call, 3, true);
  return call.cast(mx::prod(r.x, r.axes, r.keep), r.dtype);
}

void require_float(Call& call, Dtype dtype) {
  if (!is_inexact(dtype)) {
    call.raise(
        "RuntimeError",
        call.op.name +
            "(): could not infer output dtype. Input dtype must be either a "
            "floating point or complex dtype. Got: " +
            std::string(name(dtype)));
  }
}

mx::array count_along(const Reduction& r) {
  double count = 1;
  for (int axis : r.axes) {
    count *= r.x.shape(axis);
  }
  return mx::array(count, r.x.dtype());
}

/// sum / n
Value mean(Call& call) {
  auto r = reduction(call, 3, false);
  require_float(call, r.dtype);
  return call.cast(mx::sum(r.x, r.axes, r.keep) / count_along(r), r.dtype);
}

/// Two passes: sum((x - mean)^2) / (n - correction)
mx::array variance(const Reduction& r, double correction) {
  const mx::array n = count_along(r);
  const mx::array centre = mx::sum(r.x, r.axes, true) / n;
  const double divisor = n.item<float>() - correction;
  return mx::sum(mx::square(r.x - centre), r.axes, r.keep) /
         mx::array(std::max(divisor, 0.0), r.x.dtype());
}

/// Arguments: input, dim, keepdim, unbiased, correction. Old calls pass
/// `unbiased` where `dim` stands.
mx::array variance_of(Call& call, Reduction& r) {
  std::vector<Value> args(call.args.begin(), call.args.end());
  double correction = 1;
  if (args[1].is_bool()) {
    correction = args[1].as_bool() ? 1 : 0;
    args[1] = Value::none();
  }
  if (args[3].is_bool()) {
    correction = args[3].as_bool() ? 1 : 0;
  }
  if (!args[4].is_none()) {
    correction = call.real(4);
  }
  Call plain(call.interp, call.state, call.op, args);
  r = reduction(plain, -1, false);
  require_float(call, r.dtype);
  return variance(r, correction);
}

Value var(Call& call) {
  Reduction r{mx::array(0), Dtype::Float32, {}, false};
  const mx::array v = variance_of(call, r);
  return call.cast(v, r.dtype);
}

Value std_(Call& call) {
  Reduction r{mx::array(0), Dtype::Float32, {}, false};
  const mx::array v = variance_of(call, r);
  return call.cast(mx::sqrt(v), r.dtype);
}

Value mean_of(Call& call, const Reduction& r) {
  return call.cast(mx::sum(r.x, r.axes, r.keep) / count_along(r), r.dtype);
}

Value var_mean(Call& call) {
  Reduction r{mx::array(0), Dtype::Float32, {}, false};
  const mx::array v = variance_of(call, r);
  return eval::tuple({call.cast(v, r.dtype), mean_of(call, r)});
}

Value std_mean(Call& call) {
  Reduction r{mx::array(0), Dtype::Float32, {}, false};
  const mx::array v = variance_of(call, r);
  return eval::tuple({call.cast(mx::sqrt(v), r.dtype), mean_of(call, r)});
}

void require_elements(Call& call, const Tensor& input) {
  if (input.numel() == 0) {
    call.raise(
        "RuntimeError",
        call.op.name +
            "(): Expected reduction dim to be specified for input.numel() == "
            "0. Specify the reduction dim with the 'dim' argument.");
  }
}

/// Smallest or largest elements; with an axis also where they are, first ones
/// first; with a second tensor the elementwise form.
Value extreme(Call& call, bool largest) {
  const bool pairwise = call.has(3) || as_tensor(call.args[1]);
  if (pairwise) {
    const Value args[] = {call.args[0], call.args[call.has(3) ? 3 : 1]};
    return run_op(call.interp, *find_op(largest ? "maximum" : "minimum"), args);
  }
  const Tensor& input = call.tensor(0);
  const mx::array& x = input.array();
  if (!call.has(1)) {
    require_elements(call, input);
    return call.make(
        largest ? mx::max(x, false) : mx::min(x, false), input.dtype);
  }
  const int axis = call.axis(1, input.dim());
  const bool keep = call.boolean(2);
  if (input.dim() == 0) {
    return call.values_indices(
        call.make(x), call.make(mx::zeros({}, mx::int64)));
  }
  mx::array at = largest ? first_arg_max(x, axis) : first_arg_min(x, axis);
  mx::array values = mx::take_along_axis(x, at, axis);
  if (!keep) {
    at = mx::squeeze(at, axis);
    values = mx::squeeze(values, axis);
  }
  return call.values_indices(
      call.make(values, input.dtype), call.make(at, Dtype::Int64));
}

Value max(Call& call) {
  return extreme(call, true);
}

Value min(Call& call) {
  return extreme(call, false);
}

Value amax(Call& call) {
  const Tensor& input = call.tensor(0);
  return call.make(
      mx::max(input.array(), call.axes(1, input.dim()), call.boolean(2)),
      input.dtype);
}

Value amin(Call& call) {
  const Tensor& input = call.tensor(0);
  return call.make(
      mx::min(input.array(), call.axes(1, input.dim()), call.boolean(2)),
      input.dtype);
}

Value aminmax(Call& call) {
  const Tensor& input = call.tensor(0);
  const auto axes = call.axes(1, input.dim());
  const bool keep = call.boolean(2);
  return eval::tuple(
      {call.make(mx::min(input.array(), axes, keep), input.dtype),
       call.make(mx::max(input.array(), axes, keep), input.dtype)});
}

Value arg_extreme(Call& call, bool largest) {
  const Tensor& input = call.tensor(0);
  require_elements(call, input);
  const bool flat = !call.has(1);
  mx::array x = flat || input.dim() == 0 ? mx::reshape(input.array(), {-1})
                                         : input.array();
  if (input.dtype == Dtype::Bool) {
    x = mx::astype(x, mx::uint8);
  }
  const int axis = flat ? 0 : call.axis(1, input.dim());
  mx::array at = largest ? first_arg_max(x, axis) : first_arg_min(x, axis);
  if (input.dim() == 0) {
    return call.make(mx::reshape(at, {}), Dtype::Int64);
  }
  if (flat && call.boolean(2)) {
    return call.make(
        mx::reshape(at, mx::Shape(input.sizes.size(), 1)), Dtype::Int64);
  }
  return call.make(
      flat || !call.boolean(2) ? mx::squeeze(at, axis) : at, Dtype::Int64);
}

Value argmax(Call& call) {
  return arg_extreme(call, true);
}

Value argmin(Call& call) {
  return arg_extreme(call, false);
}

Value all(Call& call) {
  const Tensor& input = call.tensor(0);
  const Dtype dtype = input.dtype == Dtype::UInt8 ? Dtype::UInt8 : Dtype::Bool;
  return call.cast(
      mx::all(
          cast_array(input.array(), Dtype::Bool),
          call.axes(1, input.dim()),
          call.boolean(2)),
      dtype);
}

Value any(Call& call) {
  const Tensor& input = call.tensor(0);
  const Dtype dtype = input.dtype == Dtype::UInt8 ? Dtype::UInt8 : Dtype::Bool;
  return call.cast(
      mx::any(
          cast_array(input.array(), Dtype::Bool),
          call.axes(1, input.dim()),
          call.boolean(2)),
      dtype);
}

Value count_nonzero(Call& call) {
  const Tensor& input = call.tensor(0);
  return call.make(
      mx::sum(
          mx::astype(cast_array(input.array(), Dtype::Bool), mx::int64),
          call.axes(1, input.dim()),
          false),
      Dtype::Int64);
}

Value logsumexp(Call& call) {
  auto r = reduction(call, -1, false);
  if (is_integral(r.dtype, true)) {
    r.dtype = call.state.default_dtype;
    r.x = cast_array(r.x, r.dtype);
  }
  return call.cast(mx::logsumexp(r.x, r.axes, r.keep), r.dtype);
}

/// (sum |x|^p)^(1/p), with the usual limits.
mx::array
p_norm(const mx::array& x, double p, const std::vector<int>& axes, bool keep) {
  const mx::array a = mx::abs(x);
  if (std::isinf(p)) {
    return p > 0 ? mx::max(a, axes, keep) : mx::min(a, axes, keep);
  }
  if (p == 0) {
    return mx::sum(
        mx::astype(mx::not_equal(a, like(0, a)), a.dtype()), axes, keep);
  }
  if (p == 1) {
    return mx::sum(a, axes, keep);
  }
  if (p == 2) {
    return mx::sqrt(mx::sum(mx::square(a), axes, keep));
  }
  return mx::power(
      mx::sum(mx::power(a, like(p, a)), axes, keep), like(1 / p, a));
}

/// Arguments: input, p, dim, keepdim, dtype.
Value norm(Call& call) {
  const Tensor& input = call.tensor(0);
  const Dtype dtype = call.dtype(4, input.dtype);
  require_float(call, dtype);
  double p = 2;
  if (call.args[1].is_str()) {
    const std::string text = call.args[1].str();
    if (text != "fro") {
      call.refuse_argument(1, "only 'fro' and numbers are known");
    }
  } else {
    p = call.real(1, 2);
  }
  return call.cast(
      p_norm(
          cast_array(input.array(), compute_dtype(dtype)),
          p,
          call.axes(2, input.dim()),
          call.boolean(3)),
      dtype);
}

/// x / max(norm(x), eps)
Value normalize(Call& call) {
  const Tensor& input = call.tensor(0);
  const mx::array x = cast_array(input.array(), compute_dtype(input.dtype));
  const mx::array length =
      p_norm(x, call.real(1, 2), call.axes(2, input.dim()), true);
  // torch rounds the norm to the input's type before it divides.
  const mx::array bound = cast_array(
      cast_array(mx::maximum(length, like(call.real(3), length)), input.dtype),
      compute_dtype(input.dtype));
  return call.cast(x / bound, input.dtype);
}

Value cosine_similarity(Call& call) {
  auto e = elementwise(call, {0, 1});
  const int axis = call.wrap_axis(call.integer(2), e.sizes.size());
  const mx::array eps = like(call.real(3), e.in[0]);
  const auto length = [&](const mx::array& x) {
    return mx::maximum(mx::sqrt(mx::sum(mx::square(x), axis, true)), eps);
  };
  return call.cast(
      mx::sum(
          (e.in[0] / length(e.in[0])) * (e.in[1] / length(e.in[1])),
          axis,
          false),
      e.dtype);
}

constexpr OpSpec kReduceOps[] = {
    {"sum(input, dim=None, keepdim=False, dtype=None)",
     sum,
     "torch(input, dim=None, keepdim=False, *, dtype=None); "
     "tensor(input, dim=None, keepdim=False, *, dtype=None)"},
    {"nansum(input, dim=None, keepdim=False, dtype=None)",
     nansum,
     "torch(input, dim=None, keepdim=False, *, dtype=None); tensor"},
    {"prod(input, dim=None, keepdim=False, dtype=None)",
     prod,
     "torch(input, dim=None, keepdim=False, *, dtype=None); tensor"},
    {"mean(input, dim=None, keepdim=False, dtype=None)",
     mean,
     "torch(input, dim=None, keepdim=False, *, dtype=None); "
     "tensor(input, dim=None, keepdim=False, *, dtype=None)"},
    {"var(input, dim=None, keepdim=False, unbiased=None, correction=None)",
     var,
     "torch(input, dim=None, unbiased=None, keepdim=False, *, "
     "correction=None); tensor(input, dim=None, unbiased=None, "
     "keepdim=False, *, correction=None)"},
    {"std(input, dim=None, keepdim=False, unbiased=None, correction=None)",
     std_,
     "torch(input, dim=None, unbiased=None, keepdim=False, *, "
     "correction=None); tensor(input, dim=None, unbiased=None, "
     "keepdim=False, *, correction=None)"},
    {"var_mean(input, dim=None, keepdim=False, unbiased=None, "
     "correction=None)",
     var_mean,
     "torch(input, dim=None, unbiased=None, keepdim=False, *, "
     "correction=None)"},
    {"std_mean(input, dim=None, keepdim=False, unbiased=None, "
     "correction=None)",
     std_mean,
     "torch(input, dim=None, unbiased=None, keepdim=False, *, "
     "correction=None)"},
    {"max(input, dim=None, keepdim=False, other=None)", max, "torch; tensor"},
    {"min(input, dim=None, keepdim=False, other=None)", min, "torch; tensor"},
    {"amax(input, dim=None, keepdim=False)", amax, "torch; tensor"},
    {"amin(input, dim=None, keepdim=False)", amin, "torch; tensor"},
    {"aminmax(input, dim=None, keepdim=False)",
     aminmax,
     "torch(input, *, dim=None, keepdim=False); tensor"},
    {"argmax(input, dim=None, keepdim=False)", argmax, "torch; tensor"},
    {"argmin(input, dim=None, keepdim=False)", argmin, "torch; tensor"},
    {"all(input, dim=None, keepdim=False)",
     all,
     "torch; tensor; torch:_is_all_true(input); tensor:_is_all_true(input)"},
    {"any(input, dim=None, keepdim=False)", any, "torch; tensor"},
    {"count_nonzero(input, dim=None)", count_nonzero, "torch; tensor"},
    {"logsumexp(input, dim, keepdim=False)",
     logsumexp,
     "torch; tensor; special"},
    {"norm(input, p=None, dim=None, keepdim=False, dtype=None)",
     norm,
     "torch; tensor"},
    {"linalg.vector_norm(x, ord=2, dim=None, keepdim=False, dtype=None)",
     norm,
     "linalg(x, ord=2, dim=None, keepdim=False, *, dtype=None)"},
    {"normalize(input, p=2.0, dim=1, eps=1e-12)", normalize, "F"},
    {"cosine_similarity(x1, x2, dim=1, eps=1e-08)",
     cosine_similarity,
     "F; torch"},
};

}  // namespace

std::span<const OpSpec> reduce_ops() {
  return kReduceOps;
}

}  // namespace portwright::torch

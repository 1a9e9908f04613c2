#include <cmath>

#include "torch/dispatch.h"
#include "torch/elementwise.h"
#include "torch/indexing.h"

namespace portwright::torch {
namespace {

using Binary =
    mx::array (*)(const mx::array&, const mx::array&, mx::StreamOrDevice);

template <Binary F>
Value compare(Call& call) {
  if (!as_tensor(call.args[1]) && !call.args[1].is_number()) {
    return Value::not_implemented();  // t == None asks the other operand
  }
  auto e = elementwise(call, {0, 1});
  return finish_bool(call, e, F(e.in[0], e.in[1], {}));
}

template <Binary F>
Value logical(Call& call) {
  call.tensor(1);  // numbers are not taken
  auto e = elementwise(call, {0, 1});
  return finish_bool(
      call,
      e,
      F(cast_array(e.in[0], Dtype::Bool),
        cast_array(e.in[1], Dtype::Bool),
        {}));
}

mx::array
logical_xor(const mx::array& a, const mx::array& b, mx::StreamOrDevice) {
  return mx::not_equal(a, b);
}

template <Binary F>
Value bitwise(Call& call) {
  auto e = elementwise(call, {0, 1});
  if (is_inexact(e.dtype)) {
    call.raise(
        "NotImplementedError",
        "\"" + call.op.name + "_cpu\" not implemented for floating point");
  }
  return finish(call, e, F(e.in[0], e.in[1], {}));
}

Value where(Call& call) {
  const Tensor& condition = call.tensor(0);
  if (!call.has(1) && !call.has(2)) {
    return nonzero_tuple(call, condition);
  }
  auto e = elementwise(call, {1, 2});
  e.sizes = broadcast_sizes(call, condition.sizes, e.sizes);
  std::vector<Layout> layouts{{condition.sizes, condition.strides}};
  for (size_t i : {1, 2}) {
    if (const Tensor* t = as_tensor(call.args[i])) {
      layouts.push_back({t->sizes, t->strides});
    }
  }
  e.strides = elementwise_strides(e.sizes, layouts);
  return finish(
      call,
      e,
      mx::where(cast_array(condition.array(), Dtype::Bool), e.in[0], e.in[1]));
}

/// Method form: self.where(condition, other)
Value where_method(Call& call) {
  const Value args[] = {call.args[1], call.args[0], call.args[2]};
  Call inner(call.interp, call.state, call.op, args);
  return where(inner);
}

/// NaN passes through.
Value clamp(Call& call) {
  const bool low = call.has(1), high = call.has(2);
  if (!low && !high) {
    call.raise(
        "RuntimeError",
        "torch.clamp: At least one of 'min' or 'max' must not be None");
  }
  auto e = low && high ? elementwise(call, {0, 1, 2})
           : low       ? elementwise(call, {0, 1})
                       : elementwise(call, {0, 2});
  mx::array out = e.in[0];
  if (low) {
    out = mx::maximum(out, e.in[1]);
  }
  if (high) {
    out = mx::minimum(out, e.in.back());
  }
  return finish(call, e, out);
}

Value clamp_min(Call& call) {
  auto e = elementwise(call, {0, 1});
  return finish(call, e, mx::maximum(e.in[0], e.in[1]));
}

Value clamp_max(Call& call) {
  auto e = elementwise(call, {0, 1});
  return finish(call, e, mx::minimum(e.in[0], e.in[1]));
}

mx::array fill_value(Call& call, size_t i, Dtype dtype) {
  if (const Tensor* t = as_tensor(call.args[i])) {
    if (t->dim() != 0) {
      call.raise(
          "RuntimeError",
          fmt::format(
              "{} only supports a 0-dimensional value tensor, but got tensor "
              "with {} dimension(s).",
              call.op.name,
              t->dim()));
    }
    return cast_array(t->array(), dtype);
  }
  if (!call.args[i].is_number()) {
    call.bad_argument(i, "Number");
  }
  const double value = call.args[i].as_double();
  const bool into_integers = is_integral(dtype, true) &&
                             call.args[i].is_float() &&
                             call.op.name.starts_with("masked_fill");
  if (into_integers || (is_floating_point(dtype) && std::isfinite(value) &&
                        std::abs(value) > mx::finfo(to_mlx(dtype)).max)) {
    call.raise(
        "RuntimeError",
        "value cannot be converted to type " + std::string(name(dtype)) +
            " without overflow");
  }
  return number_array(call.args[i], dtype);
}

Value masked_fill(Call& call) {
  const Tensor& input = call.tensor(0);
  const Tensor& mask = call.tensor(1);
  if (mask.dtype != Dtype::Bool) {
    call.raise(
        "RuntimeError",
        "masked_fill_ only supports boolean masks, but got mask with dtype " +
            std::string(name(mask.dtype)));
  }
  broadcast_sizes(call, input.sizes, mask.sizes);
  return call.make(
      mx::where(mask.array(), fill_value(call, 2, input.dtype), input.array()),
      input.dtype);
}

Value fill(Call& call) {
  const Tensor& input = call.tensor(0);
  return call.make(
      mx::broadcast_to(fill_value(call, 1, input.dtype), to_shape(input.sizes)),
      input.dtype,
      dense_like(input.sizes, input.strides));
}

Value equal(Call& call) {
  const Tensor &a = call.tensor(0), &b = call.tensor(1);
  return Value::boolean(
      a.sizes == b.sizes && mx::array_equal(a.array(), b.array()).item<bool>());
}

Value isclose(Call& call) {
  auto e = elementwise(call, {0, 1});
  const Dtype dtype =
      is_inexact(e.dtype) ? compute_dtype(e.dtype) : Dtype::Float32;
  return finish_bool(
      call,
      e,
      mx::isclose(
          cast_array(e.in[0], dtype),
          cast_array(e.in[1], dtype),
          call.real(2),
          call.real(3),
          call.boolean(4)));
}

Value allclose(Call& call) {
  const Value close = isclose(call);
  return Value::boolean(mx::all(as_tensor(close)->array()).item<bool>());
}

/// Compares every element with every test element.
Value isin(Call& call) {
  const auto lined_up = [&](size_t i) {
    const Tensor* t = as_tensor(call.args[i]);
    return t ? t->array()
             : number_array(
                   call.args[i],
                   dtype_of_number(call.args[i], call.state.default_dtype));
  };
  const mx::array tests = mx::reshape(lined_up(1), {-1});
  mx::array hit =
      mx::any(mx::equal(mx::expand_dims(lined_up(0), -1), tests), -1);
  return call.make(call.boolean(2) ? mx::logical_not(hit) : hit, Dtype::Bool);
}

constexpr OpSpec kCompareOps[] = {
    {"eq(input, other)",
     compare<mx::equal>,
     "torch; tensor; tensor:__eq__; inplace"},
    {"ne(input, other)",
     compare<mx::not_equal>,
     "torch; torch:not_equal; tensor; tensor:not_equal; tensor:__ne__; "
     "inplace"},
    {"lt(input, other)",
     compare<mx::less>,
     "torch; torch:less; tensor; tensor:less; tensor:__lt__; inplace"},
    {"le(input, other)",
     compare<mx::less_equal>,
     "torch; torch:less_equal; tensor; tensor:less_equal; tensor:__le__; "
     "inplace"},
    {"gt(input, other)",
     compare<mx::greater>,
     "torch; torch:greater; tensor; tensor:greater; tensor:__gt__; inplace"},
    {"ge(input, other)",
     compare<mx::greater_equal>,
     "torch; torch:greater_equal; tensor; tensor:greater_equal; "
     "tensor:__ge__; inplace"},
    {"logical_and(input, other)",
     logical<mx::logical_and>,
     "torch; tensor; inplace"},
    {"logical_or(input, other)",
     logical<mx::logical_or>,
     "torch; tensor; inplace"},
    {"logical_xor(input, other)",
     logical<logical_xor>,
     "torch; tensor; inplace"},
    {"bitwise_and(input, other)",
     bitwise<mx::bitwise_and>,
     "torch; tensor; tensor:__and__; tensor:__rand__; inplace; "
     "inplace:__iand__"},
    {"bitwise_or(input, other)",
     bitwise<mx::bitwise_or>,
     "torch; tensor; tensor:__or__; tensor:__ror__; inplace; inplace:__ior__"},
    {"bitwise_xor(input, other)",
     bitwise<mx::bitwise_xor>,
     "torch; tensor; tensor:__xor__; tensor:__rxor__; inplace; "
     "inplace:__ixor__"},
    {"bitwise_left_shift(input, other)",
     bitwise<mx::left_shift>,
     "torch; tensor; tensor:__lshift__"},
    {"bitwise_right_shift(input, other)",
     bitwise<mx::right_shift>,
     "torch; tensor; tensor:__rshift__"},
    {"where(condition, input=None, other=None)", where, "torch"},
    {"where_method(input, condition, other)", where_method, "tensor:where"},
    {"clamp(input, min=None, max=None)",
     clamp,
     "torch; torch:clip; tensor; tensor:clip; inplace"},
    {"clamp_min(input, min)", clamp_min, "torch; tensor; inplace"},
    {"clamp_max(input, max)", clamp_max, "torch; tensor; inplace"},
    {"masked_fill(input, mask, value)", masked_fill, "torch; tensor; inplace"},
    {"fill(input, value)", fill, "torch; tensor; inplace"},
    {"equal(input, other)", equal, "torch(input, other); tensor"},
    {"isclose(input, other, rtol=1e-05, atol=1e-08, equal_nan=False)",
     isclose,
     "torch; tensor"},
    {"allclose(input, other, rtol=1e-05, atol=1e-08, equal_nan=False)",
     allclose,
     "torch; tensor"},
    {"isin(elements, test_elements, invert=False)",
     isin,
     "torch(elements, test_elements, *, assume_unique=False, invert=False)"},
};

}  // namespace

std::span<const OpSpec> compare_ops() {
  return kCompareOps;
}

}  // namespace portwright::torch

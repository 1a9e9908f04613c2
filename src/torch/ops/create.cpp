#include <cmath>

#include "torch/dispatch.h"
#include "torch/elementwise.h"

// What a function that makes a tensor takes besides what it makes.
#define FACTORY                                                        \
  "out=None, dtype=None, layout=None, device=None, pin_memory=False, " \
  "requires_grad=False, memory_format=None"
#define LIKE                                                               \
  "(input, *, dtype=None, layout=None, device=None, requires_grad=False, " \
  "memory_format=None)"
#define NEW_LIKE                                                   \
  "*, dtype=None, device=None, requires_grad=False, layout=None, " \
  "pin_memory=False)"

namespace portwright::torch {
namespace {

mx::Shape shape_of(Call& call, size_t i) {
  const Sizes sizes = call.ints(i);
  for (int64_t size : sizes) {
    if (size < 0) {
      call.raise(
          "RuntimeError",
          "Trying to create tensor with negative dimension " +
              std::to_string(size) + ": " + sizes_text(sizes));
    }
  }
  return to_shape(sizes);
}

// Zeros and the like are never allocated before something reads them.

Value constant(Call& call, const mx::Shape& shape, double value, Dtype dtype) {
  return call.make(
      mx::broadcast_to(number_array(Value::real(value), dtype), shape), dtype);
}

Value zeros(Call& call) {
  return constant(
      call, shape_of(call, 0), 0, call.dtype(1, call.state.default_dtype));
}

Value ones(Call& call) {
  return constant(
      call, shape_of(call, 0), 1, call.dtype(1, call.state.default_dtype));
}

/// A number or a 0-dim tensor, at a dtype.
mx::array scalar_array(Call& call, size_t i, Dtype dtype) {
  if (const Tensor* t = as_tensor(call.args[i])) {
    return cast_array(mx::reshape(t->array(), {}), dtype);
  }
  if (!call.args[i].is_number()) {
    call.bad_argument(i, "Number");
  }
  return number_array(call.args[i], dtype);
}

Dtype dtype_of_fill(Call& call, size_t i) {
  const Tensor* t = as_tensor(call.args[i]);
  return t ? t->dtype : dtype_of_number(call.args[i], call.state.default_dtype);
}

Value full(Call& call) {
  const Dtype dtype = call.dtype(2, dtype_of_fill(call, 1));
  return call.make(
      mx::broadcast_to(scalar_array(call, 1, dtype), shape_of(call, 0)), dtype);
}

Value constant_like(Call& call, double value) {
  const Tensor& input = call.tensor(0);
  const Dtype dtype = call.dtype(1, input.dtype);
  return call.make(
      mx::broadcast_to(
          number_array(Value::real(value), dtype), to_shape(input.sizes)),
      dtype,
      dense_like(input.sizes, input.strides));
}

Value zeros_like(Call& call) {
  return constant_like(call, 0);
}

Value ones_like(Call& call) {
  return constant_like(call, 1);
}

Value full_like(Call& call) {
  const Tensor& input = call.tensor(0);
  const Dtype dtype = call.dtype(2, input.dtype);
  return call.make(
      mx::broadcast_to(scalar_array(call, 1, dtype), to_shape(input.sizes)),
      dtype,
      dense_like(input.sizes, input.strides));
}

Value new_zeros(Call& call) {
  return constant(
      call, shape_of(call, 1), 0, call.dtype(2, call.tensor(0).dtype));
}

Value new_ones(Call& call) {
  return constant(
      call, shape_of(call, 1), 1, call.dtype(2, call.tensor(0).dtype));
}

Value new_full(Call& call) {
  const Dtype dtype = call.dtype(3, call.tensor(0).dtype);
  return call.make(
      mx::broadcast_to(scalar_array(call, 2, dtype), shape_of(call, 1)), dtype);
}

/// Old style: tensor.new(2, 3), tensor.new([1., 2.])
Value new_(Call& call) {
  return constant(call, shape_of(call, 1), 0, call.tensor(0).dtype);
}

/// start, start + step, ... below end; int64 when all are ints. Arguments:
/// start, end, step, dtype; one argument is the end.
Value arange(Call& call) {
  const Value zero = Value::integer(0), one = Value::integer(1);
  const bool only_end = !call.has(1);
  const Value& start = only_end || !call.has(0) ? zero : call.args[0];
  const Value& end = only_end ? call.args[0] : call.args[1];
  const Value& step = call.has(2) ? call.args[2] : one;
  bool integers = true;
  for (const Value* v : {&start, &end, &step}) {
    const Tensor* t = as_tensor(*v);
    if (!t && !v->is_number()) {
      call.bad_argument(0, "Number");
    }
    integers &= t ? is_integral(t->dtype, true) : v->is_integral();
  }
  const Dtype dtype =
      call.dtype(3, integers ? Dtype::Int64 : call.state.default_dtype);
  const double a = to_double(call.interp, start);
  const double b = to_double(call.interp, end);
  const double s = to_double(call.interp, step);
  if (s == 0 || (s > 0 && a > b) || (s < 0 && a < b)) {
    call.raise(
        "RuntimeError",
        s == 0 ? "step must be nonzero"
               : "upper bound and lower bound inconsistent with step sign");
  }
  const double count = std::ceil((b - a) / s);
  if (count > static_cast<double>(call.interp.limits().items)) {
    call.interp.refuse(
        diagnostics::Kind::LimitExceeded, "arange() of too many elements");
  }
  const int n = static_cast<int>(count);
  const mx::array steps = mx::arange(0.0, double(n), 1.0, mx::int64);
  if (is_integral(dtype)) {
    const mx::array first = mx::array(
        integers ? to_int64(call.interp, start) : static_cast<int64_t>(a),
        mx::int64);
    const mx::array by = mx::array(
        integers ? to_int64(call.interp, step) : static_cast<int64_t>(s),
        mx::int64);
    return call.cast(first + steps * by, dtype);
  }
  // torch multiplies and adds in double precision, then rounds.
  std::vector<float> values(n);
  for (int i = 0; i < n; ++i) {
    values[i] = static_cast<float>(a + i * s);
  }
  if (dtype == Dtype::Float64) {
    const mx::array wide = mx::astype(steps, mx::float64);
    return call.make(
        mx::array(a, mx::float64) + wide * mx::array(s, mx::float64), dtype);
  }
  return call.cast(
      n == 0 ? mx::zeros({0}) : mx::array(values.data(), {n}, mx::float32),
      dtype);
}

/// Steps from both ends towards the middle, as torch does.
Value linspace(Call& call) {
  const double a = call.real(0), b = call.real(1);
  const int n = static_cast<int>(call.integer(2));
  const Dtype dtype = call.dtype(3, call.state.default_dtype);
  const float step = n > 1 ? static_cast<float>((b - a) / (n - 1)) : 0;
  std::vector<float> values(n);
  for (int i = 0; i < n; ++i) {
    values[i] = i < n / 2 ? static_cast<float>(a) + step * i
                          : static_cast<float>(b) - step * (n - i - 1);
  }
  if (n == 1) {
    values[0] = static_cast<float>(a);
  }
  return call.cast(
      n == 0 ? mx::zeros({0}) : mx::array(values.data(), {n}, mx::float32),
      dtype);
}

Value eye(Call& call) {
  const int n = static_cast<int>(call.integer(0));
  const int m = static_cast<int>(call.integer(1, n));
  const Dtype dtype = call.dtype(2, call.state.default_dtype);
  return call.cast(mx::eye(n, m, 0, mx::float32), dtype);
}

Value triangle(Call& call, bool lower) {
  const Tensor& input = call.tensor(0);
  const int shift = static_cast<int>(call.integer(1));
  if (input.dim() < 2) {
    call.raise(
        "RuntimeError",
        call.op.name + ": input tensor must have at least 2 dimensions");
  }
  const int rows = static_cast<int>(input.sizes[input.dim() - 2]);
  const int columns = static_cast<int>(input.sizes[input.dim() - 1]);
  const mx::array r = mx::reshape(mx::arange(rows), {rows, 1});
  const mx::array c = mx::reshape(mx::arange(columns), {1, columns});
  const mx::array distance = c - r;
  const mx::array keep = lower ? mx::less_equal(distance, mx::array(shift))
                               : mx::greater_equal(distance, mx::array(shift));
  return call.make(
      mx::where(keep, input.array(), like(0, input.array())), input.dtype);
}

Value tril(Call& call) {
  return triangle(call, true);
}

Value triu(Call& call) {
  return triangle(call, false);
}

/// A matrix with this diagonal, or the diagonal of a matrix.
Value diag(Call& call) {
  const Tensor& input = call.tensor(0);
  if (input.dim() != 1 && input.dim() != 2) {
    call.raise("RuntimeError", "diag(): Supports 1D or 2D tensors.");
  }
  return call.make(
      mx::diag(input.array(), static_cast<int>(call.integer(1))), input.dtype);
}

/// The last axis becomes the diagonal of two new last axes.
Value diag_embed(Call& call) {
  const Tensor& input = call.tensor(0);
  if (call.integer(1) != 0) {
    call.refuse_argument(1, "only offset=0 is known");
  }
  const int n = static_cast<int>(input.sizes.at(input.dim() - 1));
  return call.make(
      mx::where(
          mx::eye(n, n, 0, mx::bool_),
          mx::expand_dims(input.array(), -1),
          like(0, input.array())),
      input.dtype);
}

Value tril_indices(Call& call) {
  std::vector<int64_t> rows, columns;
  for (int64_t i = 0; i < call.integer(0); ++i) {
    for (int64_t j = 0; j < call.integer(1) && j <= i + call.integer(2); ++j) {
      rows.push_back(i);
      columns.push_back(j);
    }
  }
  const int n = static_cast<int>(rows.size());
  rows.insert(rows.end(), columns.begin(), columns.end());
  return call.make(
      n == 0 ? mx::zeros({2, 0}, mx::int64)
             : mx::array(rows.data(), {2, n}, mx::int64));
}

Value triu_indices(Call& call) {
  std::vector<int64_t> rows, columns;
  for (int64_t i = 0; i < call.integer(0); ++i) {
    for (int64_t j = std::max<int64_t>(i + call.integer(2), 0);
         j < call.integer(1);
         ++j) {
      rows.push_back(i);
      columns.push_back(j);
    }
  }
  const int n = static_cast<int>(rows.size());
  rows.insert(rows.end(), columns.begin(), columns.end());
  return call.make(
      n == 0 ? mx::zeros({2, 0}, mx::int64)
             : mx::array(rows.data(), {2, n}, mx::int64));
}

Value one_hot(Call& call) {
  const Tensor& input = call.tensor(0);
  if (input.dtype != Dtype::Int64) {
    call.raise(
        "RuntimeError",
        "one_hot is only applicable to index tensor of type LongTensor.");
  }
  int64_t classes = call.integer(1);
  if (input.numel() > 0) {
    const int64_t high = mx::max(input.array(), false).item<int64_t>();
    if (mx::min(input.array(), false).item<int64_t>() < 0) {
      call.raise("RuntimeError", "Class values must be non-negative.");
    }
    if (classes == -1) {
      classes = high + 1;
    } else if (high >= classes) {
      call.raise(
          "RuntimeError", "Class values must be smaller than num_classes.");
    }
  }
  return call.cast(
      mx::equal(
          mx::expand_dims(input.array(), -1),
          mx::arange(0.0, double(classes), 1.0, mx::int64)),
      Dtype::Int64);
}

Value complex_of(Call& call) {
  const mx::array re = mx::astype(call.array(0), mx::complex64);
  const mx::array im = mx::astype(call.array(1), mx::complex64);
  return call.make(
      re + im * mx::array(std::complex<float>(0, 1)), Dtype::Complex64);
}

constexpr OpSpec kCreateOps[] = {
    {"zeros(*size, dtype=None)", zeros, "torch(*size, " FACTORY ")"},
    {"ones(*size, dtype=None)", ones, "torch(*size, " FACTORY ")"},
    {"empty(*size, dtype=None)", zeros, "torch(*size, " FACTORY ")"},
    {"full(size, fill_value, dtype=None)",
     full,
     "torch(size, fill_value, *, " FACTORY ")"},
    {"zeros_like(input, dtype=None)", zeros_like, "torch" LIKE},
    {"ones_like(input, dtype=None)", ones_like, "torch" LIKE},
    {"empty_like(input, dtype=None)", zeros_like, "torch" LIKE},
    {"full_like(input, fill_value, dtype=None)",
     full_like,
     "torch(input, fill_value, *, " FACTORY ")"},
    {"new_zeros(input, *size, dtype=None)",
     new_zeros,
     "tensor(input, *size, dtype=None, device=None, requires_grad=False, "
     "layout=None, pin_memory=False)"},
    {"new_ones(input, *size, dtype=None)",
     new_ones,
     "tensor(input, *size, dtype=None, device=None, requires_grad=False, "
     "layout=None, pin_memory=False)"},
    {"new_empty(input, *size, dtype=None)",
     new_zeros,
     "tensor(input, *size, dtype=None, device=None, requires_grad=False, "
     "layout=None, pin_memory=False)"},
    {"new_full(input, size, fill_value, dtype=None)",
     new_full,
     "tensor(input, size, fill_value, " NEW_LIKE},
    {"new(input, *size)", new_, "tensor"},
    {"arange(start=None, end=None, step=None, dtype=None)",
     arange,
     "torch(start=None, end=None, step=None, *, " FACTORY ")"},
    {"linspace(start, end, steps, dtype=None)",
     linspace,
     "torch(start, end, steps, *, " FACTORY ")"},
    {"eye(n, m=None, dtype=None)", eye, "torch(n, m=None, *, " FACTORY ")"},
    {"tril(input, diagonal=0)", tril, "torch; tensor; inplace"},
    {"triu(input, diagonal=0)", triu, "torch; tensor; inplace"},
    {"diag(input, diagonal=0)", diag, "torch; tensor"},
    {"diag_embed(input, offset=0)", diag_embed, "torch; tensor"},
    {"tril_indices(row, col, offset=0)",
     tril_indices,
     "torch(row, col, offset=0, *, device=None, layout=None)"},
    {"triu_indices(row, col, offset=0)",
     triu_indices,
     "torch(row, col, offset=0, *, device=None, layout=None)"},
    {"one_hot(tensor, num_classes=-1)", one_hot, "F"},
    {"complex(real, imag)", complex_of, "torch"},
};

}  // namespace

std::span<const OpSpec> create_ops() {
  return kCreateOps;
}

}  // namespace portwright::torch

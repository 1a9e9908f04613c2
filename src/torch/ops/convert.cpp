#include "torch/dispatch.h"
#include "torch/shapes.h"

namespace portwright::torch {
namespace {

/// Walks nested lists of numbers and tensors.
struct Nested {
  explicit Nested(Call& call) : call(call) {}

  void walk(const Value& value, size_t depth) {
    if (const Tensor* t = as_tensor(value)) {
      if (t->numel() != 1) {
        call.raise(
            "ValueError",
            "only one element tensors can be converted to Python scalars");
      }
      tensors.push_back(t);
      elements.push_back(element(t->dtype, t->array()));
      return;
    }
    if (value.is_number()) {
      elements.push_back(value);
      return;
    }
    if (!value.is(eval::Kind::List) && !value.is(eval::Kind::Tuple) &&
        !value.is(eval::Kind::Range)) {
      call.raise(
          "TypeError",
          "new(): invalid data type '" + call.interp.class_of(value)->name +
              "'");
    }
    const auto items = call.interp.to_vector(value);
    const auto count = static_cast<int64_t>(items.size());
    if (sizes.size() <= depth) {
      sizes.push_back(count);
    } else if (sizes[depth] != count) {
      call.raise(
          "ValueError",
          "expected sequence of length " + std::to_string(sizes[depth]) +
              " at dim " + std::to_string(depth) + " (got " +
              std::to_string(count) + ")");
    }
    for (const Value& item : items) {
      walk(item, depth + 1);
    }
  }

  Dtype dtype() const {
    bool real = false, bools = !elements.empty();
    for (const Value& v : elements) {
      real |= v.is_float();
      bools &= v.is_bool();
    }
    return bools                      ? Dtype::Bool
           : real || elements.empty() ? call.state.default_dtype
                                      : Dtype::Int64;
  }

  Call& call;
  Sizes sizes;
  std::vector<Value> elements;
  std::vector<const Tensor*> tensors;
};

mx::array array_from(
    const std::vector<Value>& elements,
    const Sizes& sizes,
    Dtype dtype) {
  const mx::Shape shape = to_shape(sizes);
  if (elements.empty()) {
    return mx::zeros(shape, to_mlx(dtype));
  }
  const bool ints =
      std::all_of(elements.begin(), elements.end(), [](const Value& v) {
        return v.is_integral();
      });
  if (ints && is_integral(dtype, true)) {
    std::vector<int64_t> data;
    for (const Value& v : elements) {
      data.push_back(v.as_int());
    }
    return cast_array(mx::array(data.data(), shape, mx::int64), dtype);
  }
  if (dtype == Dtype::Float64) {
    std::vector<double> data;
    for (const Value& v : elements) {
      data.push_back(v.as_double());
    }
    return mx::array(data.data(), shape, mx::float64);
  }
  if (is_integral(dtype)) {
    std::vector<int64_t> data;
    for (const Value& v : elements) {
      data.push_back(static_cast<int64_t>(v.as_double()));
    }
    return cast_array(mx::array(data.data(), shape, mx::int64), dtype);
  }
  std::vector<float> data;
  for (const Value& v : elements) {
    data.push_back(static_cast<float>(v.as_double()));
  }
  return cast_array(mx::array(data.data(), shape, mx::float32), dtype);
}

/// A new tensor from numbers, nested lists or a tensor (copied).
Value tensor(Call& call) {
  if (const Tensor* t = as_tensor(call.args[0])) {
    const Dtype dtype = call.dtype(1, t->dtype);
    return call.cast(t->array(), dtype);
  }
  Nested nested(call);
  nested.walk(call.args[0], 0);
  Dtype dtype = nested.dtype();
  if (!nested.tensors.empty() && dtype != Dtype::Int64) {
    dtype = nested.tensors[0]->dtype;
  }
  dtype = call.dtype(1, dtype);
  return call.make(array_from(nested.elements, nested.sizes, dtype), dtype);
}

/// As tensor(data), at the input's dtype.
Value new_tensor(Call& call) {
  const Dtype dtype = call.dtype(2, call.tensor(0).dtype);
  const Value args[] = {
      call.args[1], call.state.dtypes[static_cast<size_t>(dtype)]};
  Call inner(call.interp, call.state, *find_op("tensor"), args);
  return tensor(inner);
}

Value as_tensor_op(Call& call) {
  if (const Tensor* t = as_tensor(call.args[0])) {
    return call.dtype(1, t->dtype) == t->dtype
               ? call.args[0]
               : call.cast(t->array(), call.dtype(1, t->dtype));
  }
  return tensor(call);
}

Value scalar_tensor(Call& call) {
  const Dtype dtype = call.dtype(1, call.state.default_dtype);
  return call.make(number_array(Value::real(call.real(0)), dtype), dtype);
}

Value converted(Call& call, const Tensor& input, Dtype dtype, bool copy) {
  if (dtype == input.dtype && !copy) {
    return call.args[0];
  }
  return call.cast(
      input.array(), dtype, dense_like(input.sizes, input.strides));
}

/// A dtype, a device (there is one) or another tensor, in any of torch's
/// positions.
Value to(Call& call) {
  const Tensor& input = call.tensor(0);
  Dtype dtype = input.dtype;
  for (const Value& item : call.args[1].get<eval::Tuple>()->items) {
    if (const auto given = as_dtype(call.interp, item)) {
      dtype = *given;
    } else if (const Tensor* other = as_tensor(item)) {
      dtype = other->dtype;
    } else if (
        !item.is_str() && !item.is_none() && !item.is_bool() &&
        !(item.is_object() && item.object()->cls == call.state.device_class)) {
      call.raise(
          "TypeError", "to() received an invalid combination of arguments");
    }
  }
  dtype = call.dtype(2, dtype);
  if (const Tensor* other = call.tensor_or_null(4)) {
    dtype = other->dtype;
  }
  if (!has_arrays(dtype)) {
    call.refuse_operation("a cast to " + std::string(name(dtype)));
  }
  return converted(call, input, dtype, call.boolean(3));
}

template <Dtype D>
Value cast_to(Call& call) {
  return converted(call, call.tensor(0), D, false);
}

Value type_as(Call& call) {
  return converted(call, call.tensor(0), call.tensor(1).dtype, false);
}

/// Without an argument the name of the tensor's type.
Value type(Call& call) {
  const Tensor& input = call.tensor(0);
  if (!call.has(1)) {
    return eval::str("torch." + std::string(tensor_type_name(input.dtype)));
  }
  if (const auto dtype = as_dtype(call.interp, call.args[1])) {
    return converted(call, input, *dtype, false);
  }
  const std::string text = call.args[1].is_str() ? call.args[1].str() : "";
  for (int i = 0; i < kDtypeCount; ++i) {
    const auto dtype = static_cast<Dtype>(i);
    if (has_arrays(dtype) && !tensor_type_name(dtype).empty() &&
        text == "torch." + std::string(tensor_type_name(dtype))) {
      return converted(call, input, dtype, false);
    }
  }
  call.bad_argument(1, "torch.dtype");
}

Value cpu(Call& call) {
  call.tensor(0);
  return call.args[0];
}

constexpr OpSpec kConvertOps[] = {
    {"tensor(data, dtype=None)",
     tensor,
     "torch(data, *, dtype=None, device=None, requires_grad=False, "
     "pin_memory=False)"},
    {"new_tensor(input, data, dtype=None)",
     new_tensor,
     "tensor(input, data, *, dtype=None, device=None, requires_grad=False)"},
    {"as_tensor(data, dtype=None)",
     as_tensor_op,
     "torch(data, dtype=None, device=None); "
     "torch:asarray(data, *, dtype=None, device=None, copy=None, "
     "requires_grad=False)"},
    {"scalar_tensor(s, dtype=None)",
     scalar_tensor,
     "torch(s, *, dtype=None, device=None, layout=None, pin_memory=False, "
     "requires_grad=False)"},
    {"to(input, *target, dtype=None, copy=False, other=None)",
     to,
     "tensor(input, *target, dtype=None, copy=False, other=None, device=None, "
     "non_blocking=False, memory_format=None)"},
    {"float(input)",
     cast_to<Dtype::Float32>,
     "tensor(input, memory_format=None)"},
    {"double(input)",
     cast_to<Dtype::Float64>,
     "tensor(input, memory_format=None)"},
    {"half(input)",
     cast_to<Dtype::Float16>,
     "tensor(input, memory_format=None)"},
    {"bfloat16(input)",
     cast_to<Dtype::BFloat16>,
     "tensor(input, memory_format=None)"},
    {"long(input)", cast_to<Dtype::Int64>, "tensor(input, memory_format=None)"},
    {"int(input)", cast_to<Dtype::Int32>, "tensor(input, memory_format=None)"},
    {"short(input)",
     cast_to<Dtype::Int16>,
     "tensor(input, memory_format=None)"},
    {"char(input)", cast_to<Dtype::Int8>, "tensor(input, memory_format=None)"},
    {"byte(input)", cast_to<Dtype::UInt8>, "tensor(input, memory_format=None)"},
    {"bool(input)", cast_to<Dtype::Bool>, "tensor(input, memory_format=None)"},
    {"type_as(input, other)", type_as, "tensor"},
    {"type(input, dtype=None)",
     type,
     "tensor(input, dtype=None, non_blocking=False)"},
    {"cpu(input)",
     cpu,
     "tensor(input, memory_format=None); tensor:cuda(input, device=None, "
     "non_blocking=False, memory_format=None); "
     "tensor:requires_grad_(input, requires_grad=True); "
     "tensor:pin_memory(input, device=None); tensor:detach_; "
     "torch:resolve_conj; "
     "tensor:resolve_conj; tensor:resolve_neg"},
};

}  // namespace

std::span<const OpSpec> convert_ops() {
  return kConvertOps;
}

}  // namespace portwright::torch

#include "torch/call.h"

namespace portwright::torch {

using diagnostics::Kind;
using eval::Interpreter;

namespace {

std::string ordinal_argument(const Call& call, size_t i) {
  return call.op.name + "(): argument '" +
         call.op.signature.params[i].name.str() + "' (position " +
         std::to_string(i + 1) + ")";
}

}  // namespace

// ---- arguments ----

const Tensor& Call::tensor(size_t i) const {
  const Tensor* t = as_tensor(args[i]);
  if (!t) {
    bad_argument(i, "Tensor");
  }
  return *t;
}

Tensor& Call::self() const {
  tensor(0);
  return *args[0].get<Tensor>();
}

const Tensor* Call::tensor_or_null(size_t i) const {
  return has(i) ? &tensor(i) : nullptr;
}

int64_t Call::integer(size_t i) const {
  if (args[i].is_float() || !args[i].defined() || args[i].is_none()) {
    bad_argument(i, "int");
  }
  return to_int64(interp, args[i]);
}

double Call::real(size_t i) const {
  if (!args[i].is_number() && !as_tensor(args[i])) {
    bad_argument(i, "float");
  }
  return to_double(interp, args[i]);
}

bool Call::boolean(size_t i, bool otherwise) const {
  return has(i) ? interp.truthy(args[i]) : otherwise;
}

std::string Call::text(size_t i, std::string_view otherwise) const {
  if (!has(i)) {
    return std::string(otherwise);
  }
  if (!args[i].is_str()) {
    bad_argument(i, "str");
  }
  return args[i].str();
}

Sizes Call::ints(size_t i) const {
  if (!args[i].is(eval::Kind::Tuple) && !args[i].is(eval::Kind::List)) {
    return {integer(i)};
  }
  Sizes out;
  for (const Value& item : interp.to_vector(args[i])) {
    if (item.is_float() || item.is_none()) {
      bad_argument(i, "tuple of ints");
    }
    out.push_back(to_int64(interp, item));
  }
  return out;
}

std::optional<Dtype> Call::dtype(size_t i) const {
  if (!has(i)) {
    return std::nullopt;
  }
  const auto dtype = as_dtype(interp, args[i]);
  if (!dtype) {
    bad_argument(i, "torch.dtype");
  }
  if (!has_arrays(*dtype)) {
    refuse_argument(i, "MLX has no arrays of that type");
  }
  return dtype;
}

std::vector<const Tensor*> Call::tensors(size_t i) const {
  if (!args[i].is(eval::Kind::Tuple) && !args[i].is(eval::Kind::List)) {
    bad_argument(i, "tuple of Tensors");
  }
  std::vector<const Tensor*> out;
  for (const Value& item : interp.to_vector(args[i])) {
    if (!as_tensor(item)) {
      bad_argument(i, "tuple of Tensors");
    }
    out.push_back(as_tensor(item));
  }
  return out;
}

int Call::wrap_axis(int64_t axis, int64_t rank) const {
  const int64_t bound = std::max<int64_t>(rank, 1);  // 0-dim tensors take 0, -1
  if (axis < -bound || axis >= bound) {
    raise(
        "IndexError",
        fmt::format(
            "Dimension out of range (expected to be in range of [{}, {}], but "
            "got {})",
            -bound,
            bound - 1,
            axis));
  }
  return static_cast<int>(axis < 0 ? axis + bound : axis);
}

int Call::axis(size_t i, int64_t rank) const {
  return wrap_axis(integer(i), rank);
}

std::vector<int> Call::axes(size_t i, int64_t rank) const {
  std::vector<int> out;
  Sizes given = has(i) ? ints(i) : Sizes{};
  if (given.empty()) {
    for (int64_t axis = 0; axis < rank; ++axis) {
      out.push_back(static_cast<int>(axis));
    }
    return out;
  }
  for (int64_t axis : given) {
    const int wrapped = wrap_axis(axis, rank);
    if (std::find(out.begin(), out.end(), wrapped) != out.end()) {
      raise(
          "RuntimeError",
          fmt::format(
              "dim {} appears multiple times in the list of dims", wrapped));
    }
    if (rank > 0) {
      out.push_back(wrapped);
    }
  }
  std::sort(out.begin(), out.end());
  return out;
}

// ---- results ----

Value Call::make(mx::array array, Dtype dtype, Sizes strides) const {
  return eval::make<Tensor>(
      state.tensor_class, std::move(array), dtype, std::move(strides));
}

Value Call::make(mx::array array) const {
  const Dtype dtype = from_mlx(array.dtype());
  return make(std::move(array), dtype);
}

Value Call::cast(const mx::array& array, Dtype dtype, Sizes strides) const {
  return make(cast_array(array, dtype), dtype, std::move(strides));
}

Value Call::view(
    const Tensor& source,
    Sizes sizes,
    Sizes strides,
    int64_t offset,
    mx::array value) const {
  return eval::make<Tensor>(
      state.tensor_class,
      source,
      std::move(sizes),
      std::move(strides),
      offset,
      std::move(value));
}

Value Call::values_indices(Value values, Value indices) const {
  auto pair = eval::make<eval::Tuple>(
      std::vector<Value>{std::move(values), std::move(indices)});
  pair->cls = state.values_indices_class;
  return pair;
}

// ---- writing ----

void Call::check_writable(const Tensor& tensor) const {
  if (tensor.storage->read_only) {
    refuse_operation(
        std::string("writing in place into ") + tensor.storage->read_only);
  }
  if (overlaps(tensor.sizes, tensor.strides)) {
    raise(
        "RuntimeError",
        "unsupported operation: more than one element of the written-to tensor "
        "refers to a single memory location. Please clone() the tensor before "
        "performing the operation.");
  }
}

void Call::store(Tensor& tensor, const mx::array& value) const {
  check_writable(tensor);
  mx::array cast = cast_array(value, tensor.dtype);
  const mx::Shape shape = to_shape(tensor.sizes);
  if (cast.shape() != shape) {
    // Leading axes of one element may be dropped, as torch does.
    while (cast.ndim() > shape.size() && cast.shape(0) == 1) {
      cast = mx::squeeze(cast, 0);
    }
    cast = mx::broadcast_to(cast, shape);
  }
  tensor.write(std::move(cast));
}

// ---- errors ----

void Call::refuse_argument(size_t i, std::string why) const {
  interp.refuse(
      Kind::UnsupportedArgument,
      op.name + "() is not supported with " +
          op.signature.params[i].name.str() + "=" + interp.repr(args[i]) +
          ": " + why);
}

void Call::refuse_operation(std::string why) const {
  interp.refuse(
      Kind::UnsupportedOperation, op.name + "(): not supported: " + why);
}

void Call::bad_argument(size_t i, std::string_view wanted) const {
  raise(
      "TypeError",
      ordinal_argument(*this, i) + " must be " + std::string(wanted) +
          ", not " +
          (args[i].defined() ? interp.class_of(args[i])->name : "missing"));
}

// ---- conversions ----

int64_t to_int64(Interpreter& interp, const Value& value) {
  if (value.is_integral()) {
    return value.as_int();
  }
  if (const Tensor* t = as_tensor(value);
      t && t->numel() == 1 && is_integral(t->dtype, true)) {
    State& state = state_of(interp);
    if (state.observer) {
      state.observer->on_read(*t);
    }
    return element(t->dtype, t->array()).as_int();
  }
  interp.raise(
      "TypeError",
      "'" + interp.class_of(value)->name +
          "' object cannot be interpreted as an integer");
}

double to_double(Interpreter& interp, const Value& value) {
  if (value.is_number()) {
    return value.as_double();
  }
  if (const Tensor* t = as_tensor(value);
      t && t->numel() == 1 && !is_complex(t->dtype)) {
    State& state = state_of(interp);
    if (state.observer) {
      state.observer->on_read(*t);
    }
    return element(t->dtype, t->array()).as_double();
  }
  interp.raise(
      "TypeError", "must be real number, not " + interp.class_of(value)->name);
}

Value element(Dtype dtype, const mx::array& array) {
  mx::array a = mx::reshape(array, {});
  if (dtype == Dtype::Bool) {
    return Value::boolean(a.item<bool>());
  }
  if (is_integral(dtype)) {
    return Value::integer(mx::astype(a, mx::int64).item<int64_t>());
  }
  if (dtype == Dtype::Float64) {
    return Value::real(a.item<double>());
  }
  return Value::real(mx::astype(a, mx::float32).item<float>());
}

mx::array number_array(const Value& number, Dtype dtype) {
  if (dtype == Dtype::Bool) {
    return mx::array(number.as_double() != 0);
  }
  if (is_integral(dtype)) {
    const int64_t whole = number.is_integral()
                              ? number.as_int()
                              : static_cast<int64_t>(number.as_double());
    return mx::astype(mx::array(whole, mx::int64), to_mlx(dtype));
  }
  if (dtype == Dtype::Float64) {
    return mx::array(number.as_double(), mx::float64);
  }
  return mx::array(
      number.is_float() ? static_cast<float>(number.as_double())
                        : static_cast<float>(number.as_int()),
      to_mlx(dtype));
}

mx::array computed(const Tensor& tensor) {
  return cast_array(tensor.array(), compute_dtype(tensor.dtype));
}

mx::array cast_array(const mx::array& array, Dtype dtype) {
  const mx::Dtype to = to_mlx(dtype);
  if (array.dtype() == to) {
    return array;
  }
  if (dtype == Dtype::Bool) {
    return mx::not_equal(array, mx::zeros({}, array.dtype()));
  }
  return mx::astype(array, to);
}

Dtype compute_dtype(Dtype dtype) {
  return is_half(dtype) ? Dtype::Float32 : dtype;
}

std::string sizes_text(const Sizes& sizes) {
  return fmt::format("[{}]", fmt::join(sizes, ", "));
}

Sizes broadcast_sizes(Call& call, const Sizes& a, const Sizes& b) {
  Sizes out(std::max(a.size(), b.size()), 1);
  for (size_t i = 0; i < out.size(); ++i) {
    const size_t axis = out.size() - 1 - i;
    const int64_t x = i < a.size() ? a[a.size() - 1 - i] : 1;
    const int64_t y = i < b.size() ? b[b.size() - 1 - i] : 1;
    if (x != y && x != 1 && y != 1) {
      call.raise(
          "RuntimeError",
          fmt::format(
              "The size of tensor a ({}) must match the size of tensor b ({}) "
              "at non-singleton dimension {}",
              x,
              y,
              axis));
    }
    out[axis] = x == 1 ? y : x;
  }
  return out;
}

}  // namespace portwright::torch

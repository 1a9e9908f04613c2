#include "candidate/op.h"

namespace portwright::candidate {
namespace {

Value scalar(Call& c, const mx::array& a) {
  mx::array one = mx::reshape(a, {});
  mx::eval(one);
  if (one.dtype() == mx::bool_) {
    return Value::boolean(one.item<bool>());
  }
  if (mx::issubdtype(one.dtype(), mx::integer)) {
    return Value::integer(mx::astype(one, mx::int64).item<int64_t>());
  }
  if (mx::issubdtype(one.dtype(), mx::floating)) {
    return Value::real(mx::astype(one, mx::float32).item<float>());
  }
  c.interp.raise("ValueError", "a complex element is not read");
}

Value item(Call& c) {
  const mx::array& a = c.array(0);
  if (a.size() != 1) {
    c.interp.raise(
        "ValueError", "[convert] Only length-1 arrays can be converted");
  }
  return scalar(c, a);
}

template <typename T>
Value nested(
    const mx::Shape& shape,
    size_t axis,
    const T*& next,
    Value (*value)(T)) {
  if (axis == shape.size()) {
    return value(*next++);
  }
  std::vector<Value> items;
  for (int i = 0; i < shape[axis]; ++i) {
    items.push_back(nested(shape, axis + 1, next, value));
  }
  return eval::list(std::move(items));
}

Value tolist(Call& c) {
  const mx::array& a = c.array(0);
  if (a.ndim() == 0) {
    return scalar(c, a);
  }
  if (mx::issubdtype(a.dtype(), mx::floating)) {
    mx::array flat = mx::contiguous(mx::astype(a, mx::float32));
    mx::eval(flat);
    const float* next = flat.data<float>();
    return nested<float>(
        a.shape(), 0, next, [](float v) { return Value::real(v); });
  }
  mx::array flat = mx::contiguous(mx::astype(a, mx::int64));
  mx::eval(flat);
  const int64_t* next = flat.data<int64_t>();
  return nested<int64_t>(
      a.shape(),
      0,
      next,
      a.dtype() == mx::bool_ ? +[](int64_t v) { return Value::boolean(v != 0); }
                             : +[](int64_t v) { return Value::integer(v); });
}

Value length(Call& c) {
  const mx::array& a = c.array(0);
  if (a.ndim() == 0) {
    c.interp.raise("TypeError", "len() 0-dimensional array.");
  }
  return Value::integer(a.shape(0));
}

Value rows(Call& c) {
  const mx::array& a = c.array(0);
  if (a.ndim() == 0) {
    c.interp.raise("TypeError", "iteration over a 0-d array.");
  }
  std::vector<mx::array> out;
  for (int i = 0; i < a.shape(0); ++i) {
    out.push_back(mx::take(a, i, 0));
  }
  return Value(c.interp.iterate(c.list(out)));
}

Value sizes(Call& c) {
  std::vector<Value> out;
  for (int size : c.array(0).shape()) {
    out.push_back(Value::integer(size));
  }
  return eval::tuple(std::move(out));
}

Value representation(Call& c) {
  std::ostringstream out;
  mx::array a = c.array(0);
  mx::eval(a);
  out << a;
  return eval::str(out.str());
}

const OpSpec kConversionOps[] = {
    {"astype(a, dtype)",
     kBoth,
     [](Call& c) { return c.make(mx::astype(c.array(0), *c.dtype(1))); }},
    {"item(self)", kMethod, item},
    {"tolist(self)", kMethod, tolist},
    {"__len__(self)", kMethod, length},
    {"__iter__(self)", kMethod, rows},
    {"__bool__(self)",
     kMethod,
     [](Call& c) { return Value::boolean(item(c).as_double() != 0); }},
    {"__int__(self)",
     kMethod,
     [](Call& c) {
       const Value v = item(c);
       return v.is_float() ? Value::integer(static_cast<int64_t>(v.as_double()))
                           : Value::integer(v.as_int());
     }},
    {"__index__(self)",
     kMethod,
     [](Call& c) {
       if (!mx::issubdtype(c.array(0).dtype(), mx::integer)) {
         c.interp.raise("TypeError", "only integer arrays are an index");
       }
       return item(c);
     }},
    {"__float__(self)",
     kMethod,
     [](Call& c) { return Value::real(item(c).as_double()); }},
    {"__repr__(self)", kMethod, representation},
    {"__str__(self)", kMethod, representation},
    {"__hash__(self)",
     kMethod,
     [](Call& c) {
       return Value::integer(static_cast<int64_t>(
           reinterpret_cast<uintptr_t>(c.args[0].object()) >> 4));
     }},
    {"__copy__(self)", kMethod, [](Call& c) { return c.make(c.array(0)); }},
    {"__deepcopy__(self, memo=None)",
     kMethod,
     [](Call& c) { return c.make(c.array(0)); }},
    {"shape(self)", kProperty, sizes},
    {"dtype(self)",
     kProperty,
     [](Call& c) { return c.state.dtypes.at(c.array(0).dtype().val()); }},
    {"ndim(self)",
     kProperty,
     [](Call& c) {
       return Value::integer(static_cast<int64_t>(c.array(0).ndim()));
     }},
    {"size(self)",
     kProperty,
     [](Call& c) {
       return Value::integer(static_cast<int64_t>(c.array(0).size()));
     }},
    {"itemsize(self)",
     kProperty,
     [](Call& c) {
       return Value::integer(static_cast<int64_t>(c.array(0).itemsize()));
     }},
    {"nbytes(self)",
     kProperty,
     [](Call& c) {
       return Value::integer(static_cast<int64_t>(c.array(0).nbytes()));
     }},
};

}  // namespace

std::span<const OpSpec> conversion_ops() {
  return kConversionOps;
}

}  // namespace portwright::candidate

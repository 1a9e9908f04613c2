#include "torch/call.h"
#include "torch/dispatch.h"
#include "torch/install.h"
#include "torch/torch.h"

namespace portwright::torch {

using eval::Class;
using eval::Interpreter;

namespace {

using Args = std::span<Value>;

// While a model is being built, random numbers only fill weights that a
// checkpoint replaces: a fixed value of the distribution stands for them.
// Inside a forward pass they would decide the result, and are refused.

void check_building(Interpreter& interp, const std::string& name) {
  if (state_of(interp).forward_depth > 0) {
    interp.refuse(
        diagnostics::Kind::UnsupportedFunction,
        name + "() draws random numbers",
        "a port must give the same answer twice; make the step deterministic");
  }
}

mx::array constant(const Sizes& sizes, double value, Dtype dtype) {
  return mx::broadcast_to(
      number_array(Value::real(value), dtype), to_shape(sizes));
}

Sizes sizes_of(Interpreter& interp, const Value& rest) {
  const auto* tuple = rest.get<eval::Tuple>();
  const auto items = tuple->items.size() == 1 && !tuple->items[0].is_integral()
                         ? interp.to_vector(tuple->items[0])
                         : tuple->items;
  Sizes sizes;
  for (const Value& item : items) {
    sizes.push_back(to_int64(interp, item));
  }
  return sizes;
}

double number_or(const Value& v, double otherwise) {
  return v.is_number() ? v.as_double() : otherwise;
}

/// Methods that fill a tensor; the value comes from two parameters.
void install_fills(Class& cls) {
  struct Fill {
    const char* signature;
    double (*value)(double, double);
  };
  static constexpr Fill kFills[] = {
      {"normal_(self, mean=0.0, std=1.0, *, generator=None)",
       [](double mean, double) { return mean; }},
      {"uniform_(self, a=0.0, b=1.0, *, generator=None)",
       [](double low, double high) { return (low + high) / 2; }},
      {"log_normal_(self, mean=1.0, std=2.0, *, generator=None)",
       [](double, double) { return 1.0; }},
      {"exponential_(self, lambd=1.0, b=0.0, *, generator=None)",
       [](double rate, double) { return 1.0 / rate; }},
      {"bernoulli_(self, p=0.5, b=0.0, *, generator=None)",
       [](double, double) { return 0.0; }},
      {"random_(self, a=0.0, b=0.0, *, generator=None)",
       [](double low, double) { return low; }},
  };
  for (const Fill& fill : kFills) {
    const std::string text = fill.signature;
    cls.def(text, [&fill, text](Interpreter& interp, Args a) {
      check_building(interp, "Tensor." + text.substr(0, text.find('(')));
      Tensor& t = *a[0].get<Tensor>();
      t.write(constant(
          t.sizes,
          fill.value(number_or(a[1], 0), number_or(a[2], 1)),
          t.dtype));
      return a[0];
    });
  }
}

}  // namespace

void install_random(Interpreter& interp, State& state) {
  install_fills(*state.tensor_class);
  (void)interp;
}

void install_random_functions(eval::ModuleObject& module) {
  struct Maker {
    const char* name;
    double value;
  };
  static constexpr Maker kMakers[] = {{"rand", 0.5}, {"randn", 0.0}};
  for (const Maker& maker : kMakers) {
    module.def(
        std::string(maker.name) +
            "(*size, out=None, dtype=None, layout=None, device=None, "
            "requires_grad=False, pin_memory=False, generator=None)",
        [&maker](Interpreter& interp, Args a) {
          check_building(interp, std::string("torch.") + maker.name);
          // As it was given, not as plain integers: what a size is made of
          // tells how a port has to make it.
          const auto* sizes = a[0].get<eval::Tuple>();
          const bool one = sizes->items.size() == 1;
          const bool apart = !one || sizes->items[0].is_integral();
          const Value args[] = {
              apart ? a[0] : sizes->items[0], Value::real(maker.value), a[2]};
          return dispatch(state_of(interp), interp, *find_op("full"), args);
        });
    module.def(
        std::string(maker.name) +
            "_like(input, *, dtype=None, layout=None, device=None, "
            "requires_grad=False, memory_format=None)",
        [&maker](Interpreter& interp, Args a) {
          check_building(interp, std::string("torch.") + maker.name + "_like");
          const Tensor* t = as_tensor(a[0]);
          if (!t) {
            interp.raise("TypeError", "input must be a Tensor");
          }
          const Dtype dtype = as_dtype(interp, a[1]).value_or(t->dtype);
          return Value(make_tensor(
              interp, constant(t->sizes, maker.value, dtype), dtype));
        });
  }
  module.def(
      "normal(mean=0.0, std=1.0, size=..., *, generator=None, out=None, "
      "dtype=None, layout=None, device=None, requires_grad=False)",
      [](Interpreter& interp, Args a) {
        check_building(interp, "torch.normal");
        if (const Tensor* t = as_tensor(a[0])) {
          return Value(make_tensor(interp, t->array(), t->dtype));
        }
        const Dtype dtype =
            as_dtype(interp, a[5]).value_or(default_dtype(interp));
        return Value(make_tensor(
            interp,
            constant(
                sizes_of(interp, eval::tuple({a[2]})),
                number_or(a[0], 0),
                dtype),
            dtype));
      });
  for (const char* name :
       {"bernoulli",
        "multinomial",
        "randint",
        "randperm",
        "poisson",
        "randint_like"}) {
    module.def(
        std::string(name) + "(*args, **kwargs)",
        [name](Interpreter& interp, Args) -> Value {
          interp.refuse(
              diagnostics::Kind::UnsupportedFunction,
              std::string("torch.") + name + "() draws random numbers",
              "make the step deterministic");
        });
  }
}

}  // namespace portwright::torch

#include <cmath>

#include "torch/call.h"
#include "torch/dispatch.h"
#include "torch/install.h"
#include "torch/readable.h"
#include "torch/shapes.h"
#include "torch/torch.h"

namespace portwright::torch {

using diagnostics::Kind;
using eval::Class;
using eval::Interpreter;

namespace {

using Args = std::span<Value>;

const Tensor& receiver(Args a) {
  return *a[0].get<Tensor>();
}

/// A scalar that depends on a tensor's elements.
Value marked(Interpreter& interp, const Tensor& t, Value scalar) {
  if (!interp.track_provenance || !t.value_id) {
    return scalar;
  }
  eval::Provenance node{eval::Provenance::Kind::Data, {}, {}};
  node.value_id = t.value_id;
  return scalar.with(interp.provenance(std::move(node)));
}

void note_read(Interpreter& interp, const Tensor& t) {
  State& state = state_of(interp);
  if (state.observer && !state.inside_op) {
    state.observer->on_read(t);
  }
}

Value item(Interpreter& interp, const Tensor& t) {
  if (t.numel() != 1) {
    interp.raise(
        "RuntimeError",
        fmt::format(
            "a Tensor with {} elements cannot be converted to Scalar",
            t.numel()));
  }
  if (is_complex(t.dtype)) {
    interp.refuse(Kind::UnsupportedOperation, "item() of a complex tensor");
  }
  note_read(interp, t);
  return marked(interp, t, element(t.dtype, t.array()));
}

Value to_list(
    Interpreter& interp,
    const Tensor& t,
    const Value* elements,
    int64_t axis) {
  if (axis == t.dim()) {
    return *elements;
  }
  int64_t inner = 1;
  for (int64_t i = axis + 1; i < t.dim(); ++i) {
    inner *= t.sizes[i];
  }
  std::vector<Value> items;
  for (int64_t i = 0; i < t.sizes[axis]; ++i) {
    items.push_back(to_list(interp, t, elements + i * inner, axis + 1));
  }
  return eval::list(std::move(items));
}

std::vector<Value> elements_of(Interpreter& interp, const Tensor& t) {
  std::vector<Value> out;
  if (t.numel() > static_cast<int64_t>(interp.limits().items)) {
    interp.refuse(Kind::LimitExceeded, "tolist() of too many elements");
  }
  const bool floats = !is_integral(t.dtype, true);
  const mx::array a = readable(mx::astype(
      t.array(),
      t.dtype == Dtype::Float64 ? mx::float64
      : floats                  ? mx::float32
                                : mx::int64));
  for (int64_t i = 0; i < t.numel(); ++i) {
    const Value v = t.dtype == Dtype::Float64 ? Value::real(a.data<double>()[i])
                    : floats                  ? Value::real(a.data<float>()[i])
                    : t.dtype == Dtype::Bool
                        ? Value::boolean(a.data<int64_t>()[i] != 0)
                        : Value::integer(a.data<int64_t>()[i]);
    out.push_back(marked(interp, t, v));
  }
  return out;
}

/// bool(t), int(t), ...: the element under Python's own conversion.
void install_conversions(Class& cls) {
  cls.def("item(self)", [](Interpreter& interp, Args a) {
    return item(interp, receiver(a));
  });
  cls.def("tolist(self)", [](Interpreter& interp, Args a) {
    const Tensor& t = receiver(a);
    note_read(interp, t);
    const auto elements = elements_of(interp, t);
    return to_list(interp, t, elements.data(), 0);
  });
  cls.def("__bool__(self)", [](Interpreter& interp, Args a) {
    const Tensor& t = receiver(a);
    if (t.numel() != 1) {
      interp.raise(
          "RuntimeError",
          t.numel() == 0
              ? "Boolean value of Tensor with no values is ambiguous"
              : "Boolean value of Tensor with more than one value is "
                "ambiguous");
    }
    const Value v = item(interp, t);
    return Value::boolean(v.as_double() != 0).with(v.provenance());
  });
  cls.def("__int__(self)", [](Interpreter& interp, Args a) {
    const Value v = item(interp, receiver(a));
    return Value::integer(
               v.is_float() ? static_cast<int64_t>(v.as_double()) : v.as_int())
        .with(v.provenance());
  });
  cls.def("__float__(self)", [](Interpreter& interp, Args a) {
    const Value v = item(interp, receiver(a));
    return Value::real(v.as_double()).with(v.provenance());
  });
  cls.def("__index__(self)", [](Interpreter& interp, Args a) {
    const Tensor& t = receiver(a);
    if (!is_integral(t.dtype, true) || t.numel() != 1) {
      interp.raise(
          "TypeError",
          "only integer tensors of a single element can be converted to an "
          "index");
    }
    const Value v = item(interp, t);
    return Value::integer(v.as_int()).with(v.provenance());
  });
}

void install_container(Class& cls, State* state) {
  cls.def("__len__(self)", [](Interpreter& interp, Args a) {
    const Tensor& t = receiver(a);
    if (t.dim() == 0) {
      interp.raise("TypeError", "len() of a 0-d tensor");
    }
    return size_value(interp, t.sizes, &t).get<eval::Tuple>()->items[0];
  });
  cls.def("__iter__(self)", [state](Interpreter& interp, Args a) -> Value {
    if (receiver(a).dim() == 0) {
      interp.raise("TypeError", "iteration over a 0-d tensor");
    }
    const Value args[] = {a[0], Value::integer(0)};
    const Value rows = dispatch(*state, interp, *find_op("unbind"), args);
    return interp.iterate(rows);
  });
  cls.def("__contains__(self, element)", [](Interpreter& interp, Args a) {
    const Value hits = interp.compare("==", a[0], a[1]);
    const Tensor* t = as_tensor(hits);
    if (!t) {
      interp.raise(
          "RuntimeError", "Tensor.__contains__ only supports Tensor or scalar");
    }
    note_read(interp, *t);
    return Value::boolean(mx::any(t->array(), false).item<bool>());
  });
  cls.def("__hash__(self)", [](Interpreter&, Args a) {
    return Value::integer(
        static_cast<int64_t>(reinterpret_cast<uintptr_t>(a[0].object()) >> 4));
  });
}

std::string number_text(const Value& v) {
  if (v.is_bool()) {
    return v.as_bool() ? "True" : "False";
  }
  return v.is_int() ? std::to_string(v.as_int())
                    : fmt::format("{:.4f}", v.as_double());
}

void install_text(Class& cls) {
  const auto repr = [](Interpreter& interp, Args a) {
    const Tensor& t = receiver(a);
    if (t.numel() > 100) {
      return eval::str(
          "tensor(..., size=(" + fmt::format("{}", fmt::join(t.sizes, ", ")) +
          "))");
    }
    std::vector<std::string> texts;
    for (const Value& v : elements_of(interp, t)) {
      texts.push_back(number_text(v));
    }
    const std::string body = fmt::format("{}", fmt::join(texts, ", "));
    return eval::str(
        t.dim() == 0 ? "tensor(" + body + ")" : "tensor([" + body + "])");
  };
  cls.def("__repr__(self)", repr);
  cls.def("__str__(self)", repr);
  cls.def("__format__(self, spec)", [](Interpreter& interp, Args a) {
    const Tensor& t = receiver(a);
    return eval::str(
        t.dim() == 0 ? interp.format(item(interp, t), a[1].str())
                     : interp.to_str(a[0]));
  });
}

void install_copies(Class& cls, State* state) {
  // Tells storages apart; nothing reads from there.
  cls.def("data_ptr(self)", [](Interpreter&, Args a) {
    const auto* storage = receiver(a).storage.get();
    return Value::integer(
        static_cast<int64_t>(reinterpret_cast<intptr_t>(storage)) &
        ~int64_t{15});
  });
  const auto copy = [state](Interpreter&, const Tensor& t) {
    auto out = eval::make<Tensor>(
        t.cls, t.array(), t.dtype, dense_like(t.sizes, t.strides));
    out->requires_grad = t.requires_grad;
    out->is_parameter = t.is_parameter;
    out->is_buffer = t.is_buffer;
    out->persistent = t.persistent;
    (void)state;
    return out;
  };
  cls.def("__deepcopy__(self, memo=None)", [copy](Interpreter& interp, Args a) {
    return Value(copy(interp, receiver(a)));
  });
}

void install_numpy(Class& cls) {
  cls.def("numpy(self, *, force=False)", [](Interpreter& interp, Args a) {
    const Tensor& t = receiver(a);
    if (t.dim() != 1 || t.dtype == Dtype::Bool || !is_integral(t.dtype)) {
      interp.refuse(
          Kind::UnsupportedFunction,
          "Tensor.numpy() of anything but a vector of integers");
    }
    const Value module{interp.import_module("torch._host_arrays")};
    return interp.call(
        interp.getattr(module, "Integers"),
        {interp.call_method(a[0], "tolist")});
  });
}

/// What has no meaning for an evaluation that never trains.
void install_refused(Class& cls) {
  for (const char* name :
       {"backward",
        "untyped_storage",
        "storage",
        "register_hook",
        "share_memory_",
        "__array__",
        "to_sparse",
        "to_dense",
        "map_",
        "apply_",
        "multinomial"}) {
    cls.def(
        std::string(name) + "(self, *args, **kwargs)",
        [name](Interpreter& interp, Args) -> Value {
          interp.refuse(
              Kind::UnsupportedFunction,
              std::string("Tensor.") + name + "() is not supported");
        });
  }
}

}  // namespace

void install_tensor_protocol(Interpreter&, State& state) {
  Class& cls = *state.tensor_class;
  install_conversions(cls);
  install_container(cls, &state);
  install_text(cls);
  install_copies(cls, &state);
  install_numpy(cls);
  install_refused(cls);
}

}  // namespace portwright::torch

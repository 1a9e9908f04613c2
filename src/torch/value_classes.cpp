#include "torch/call.h"
#include "torch/dispatch.h"
#include "torch/install.h"
#include "torch/torch.h"

namespace portwright::torch {

using eval::Class;
using eval::Interpreter;
using eval::Symbol;

namespace {

using Args = std::span<Value>;

void install_dtypes(Interpreter& interp, State& state) {
  Class* cls = interp.define_class("dtype", {}, eval::Kind::Opaque, "torch");
  state.dtype_class = cls;
  for (int i = 0; i < kDtypeCount; ++i) {
    state.dtypes[i] = eval::make<DtypeObject>(cls, static_cast<Dtype>(i));
  }
  const auto of = [](Args a) { return a[0].get<DtypeObject>()->dtype; };
  cls->def_property("is_floating_point", [of](Interpreter&, Args a) {
    return Value::boolean(is_floating_point(of(a)));
  });
  cls->def_property("is_complex", [of](Interpreter&, Args a) {
    return Value::boolean(is_complex(of(a)));
  });
  cls->def_property("is_signed", [of](Interpreter&, Args a) {
    return Value::boolean(is_signed(of(a)));
  });
  cls->def_property("itemsize", [of](Interpreter&, Args a) {
    return Value::integer(itemsize(of(a)));
  });
  const auto text = [of](Interpreter&, Args a) {
    return eval::str("torch." + std::string(name(of(a))));
  };
  cls->def("__repr__(self)", text);
  cls->def("__str__(self)", text);
  cls->def("__hash__(self)", [of](Interpreter&, Args a) {
    return Value::integer(static_cast<int64_t>(of(a)) + 1);
  });
}

/// torch.device: there is one, whatever the source asks for.
void install_device(Interpreter& interp, State& state) {
  Class* cls = interp.define_class("device", {}, eval::Kind::Instance, "torch");
  state.device_class = cls;
  const auto make = [cls](std::string type, Value index) {
    auto device = eval::make<eval::Instance>(cls);
    device->attrs = new eval::AttrMap;
    device->attrs->set(Symbol("type"), eval::str(std::move(type)));
    device->attrs->set(Symbol("index"), std::move(index));
    return Value(device);
  };
  state.cpu = make("cpu", Value::none());
  cls->def_static(
      "__new__(cls, type, index=None)", [make, cls](Interpreter&, Args a) {
        if (!a[1].is_str()) {
          return a[1].is_object() && a[1].object()->cls == cls
                     ? a[1]
                     : make("cuda", a[1]);
        }
        std::string text = a[1].str();
        Value index = a[2];
        if (const size_t colon = text.find(':'); colon != text.npos) {
          index = Value::integer(std::atoi(text.c_str() + colon + 1));
          text.resize(colon);
        }
        return make(text, index);
      });
  cls->def("__init__(self, *args, **kwargs)", [](Interpreter&, Args) {
    return Value::none();
  });
  cls->def("__eq__(self, other)", [cls](Interpreter& interp, Args a) {
    if (!a[1].is_object() || a[1].object()->cls != cls) {
      return Value::boolean(false);
    }
    return Value::boolean(
        interp.equal(
            interp.getattr(a[0], "type"), interp.getattr(a[1], "type")) &&
        interp.equal(
            interp.getattr(a[0], "index"), interp.getattr(a[1], "index")));
  });
  cls->def("__hash__(self)", [](Interpreter& interp, Args a) {
    return Value::integer(
        static_cast<int64_t>(interp.hash(interp.getattr(a[0], "type")) >> 1));
  });
  cls->def("__str__(self)", [](Interpreter& interp, Args a) {
    return interp.getattr(a[0], "type");
  });
  cls->def("__enter__(self)", [](Interpreter&, Args a) { return a[0]; });
  cls->def("__exit__(self, *args)", [](Interpreter&, Args) {
    return Value::none();
  });
}

void install_size(Interpreter& interp, State& state) {
  Class* cls = interp.define_class(
      "Size", {interp.types.tuple}, eval::Kind::Tuple, "torch");
  state.size_class = cls;
  cls->def_static("__new__(cls, items=())", [cls](Interpreter& interp, Args a) {
    auto out = eval::make<eval::Tuple>(interp.to_vector(a[1]));
    out->cls = cls;
    return Value(out);
  });
  cls->def("numel(self)", [](Interpreter& interp, Args a) {
    Value count = Value::integer(1);
    for (const Value& item : a[0].get<eval::Tuple>()->items) {
      count = interp.binary("*", count, item);
    }
    return count;
  });
  cls->def("__repr__(self)", [](Interpreter& interp, Args a) {
    std::vector<std::string> texts;
    for (const Value& item : a[0].get<eval::Tuple>()->items) {
      texts.push_back(interp.repr(item));
    }
    return eval::str(
        "torch.Size([" + fmt::format("{}", fmt::join(texts, ", ")) + "])");
  });
  cls = interp.define_class(
      "values_indices",
      {interp.types.tuple},
      eval::Kind::Tuple,
      "torch.return_types");
  state.values_indices_class = cls;
  cls->def_property("values", [](Interpreter&, Args a) {
    return a[0].get<eval::Tuple>()->items[0];
  });
  cls->def_property("indices", [](Interpreter&, Args a) {
    return a[0].get<eval::Tuple>()->items[1];
  });
}

/// A parameter shares its storage with the tensor it was made from.
Value alias_as(Class* cls, const Value& data, Interpreter& interp) {
  State& state = state_of(interp);
  if (!data.is_none() && !as_tensor(data)) {
    interp.raise(
        "TypeError",
        "cannot make a " + cls->name + " of a " + interp.class_of(data)->name);
  }
  const Value empty =
      data.is_none() ? Value(make_tensor(interp, mx::zeros({0}))) : data;
  const Tensor& t = *as_tensor(empty);
  auto out =
      eval::make<Tensor>(cls, t, t.sizes, t.strides, t.offset, t.array());
  if (state.observer && t.value_id) {
    out->value_id = t.value_id;
    out->value_version = t.value_version;
  }
  return out;
}

/// The class that __new__ of `base` was asked for.
Class* asked_for(Interpreter& interp, const Value& cls, const Class* base) {
  if (!cls.is(eval::Kind::Class) || !cls.get<Class>()->is_subclass_of(base)) {
    interp.raise(
        "TypeError",
        fmt::format("{}.__new__(X): X is not a subtype of it", base->name));
  }
  return cls.get<Class>();
}

void install_parameters(Interpreter& interp, State& state) {
  Class* cls = interp.define_class(
      "Parameter",
      {state.tensor_class},
      eval::Kind::Tensor,
      "torch.nn.parameter");
  state.parameter_class = cls;
  cls->def_static(
      "__new__(cls, data=None, requires_grad=True)",
      [cls](Interpreter& interp, Args a) {
        Value out = alias_as(asked_for(interp, a[0], cls), a[1], interp);
        as_tensor(out)->is_parameter = true;
        as_tensor(out)->requires_grad = interp.truthy(a[2]);
        return out;
      });
  Class* buffer = interp.define_class(
      "Buffer", {state.tensor_class}, eval::Kind::Tensor, "torch.nn.parameter");
  state.buffer_class = buffer;
  buffer->def_static(
      "__new__(cls, data=None, *, persistent=True)",
      [buffer](Interpreter& interp, Args a) {
        Value out = alias_as(asked_for(interp, a[0], buffer), a[1], interp);
        as_tensor(out)->is_buffer = true;
        as_tensor(out)->persistent = interp.truthy(a[2]);
        return out;
      });
  for (Class* c : {cls, buffer}) {
    c->def("__init__(self, *args, **kwargs)", [](Interpreter&, Args) {
      return Value::none();
    });
  }
}

/// torch.Tensor(2, 3), torch.Tensor([1., 2.])
void install_constructor(State& state) {
  state.tensor_class->def_static(
      "__new__(cls, *args, **kwargs)", [](Interpreter& interp, Args a) {
        State& state = state_of(interp);
        const auto items = a[1].get<eval::Tuple>()->items;
        const Value dtype = dtype_value(interp, state.default_dtype);
        if (items.size() == 1 && !items[0].is_integral()) {
          const Value args[] = {items[0], dtype};
          return dispatch(state, interp, *find_op("tensor"), args);
        }
        const Value args[] = {a[1], dtype};
        return dispatch(state, interp, *find_op("zeros"), args);
      });
  state.tensor_class->def(
      "__init__(self, *args, **kwargs)",
      [](Interpreter&, Args) { return Value::none(); });
}

}  // namespace

void install_value_classes(Interpreter& interp, State& state) {
  install_dtypes(interp, state);
  install_device(interp, state);
  install_size(interp, state);
  install_tensor_class(interp, state);
  install_random(interp, state);
  install_constructor(state);
  install_parameters(interp, state);
}

}  // namespace portwright::torch

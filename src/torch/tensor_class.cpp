#include "torch/call.h"
#include "torch/dispatch.h"
#include "torch/install.h"
#include "torch/shapes.h"
#include "torch/torch.h"

namespace portwright::torch {

using diagnostics::Kind;
using eval::Class;
using eval::Interpreter;

namespace {

using Args = std::span<Value>;

const Tensor& self_of(Args a) {
  return *a[0].get<Tensor>();
}

Value boolean(bool b) {
  return Value::boolean(b);
}

Value with_dim(Interpreter& interp, const Tensor& t, int64_t axis) {
  const Value size = size_value(interp, t.sizes, &t);
  return size.get<eval::Tuple>()->items[axis];
}

int wrap(Interpreter& interp, const Value& axis, const Tensor& t) {
  static const Op none{"size", {}, nullptr};
  Call call(interp, state_of(interp), none, {});
  return call.wrap_axis(to_int64(interp, axis), t.dim());
}

void install_metadata(Class& cls) {
  cls.def_property("shape", [](Interpreter& interp, Args a) {
    return size_value(interp, self_of(a).sizes, &self_of(a));
  });
  cls.def("size(self, dim=None)", [](Interpreter& interp, Args a) {
    const Tensor& t = self_of(a);
    return a[1].is_none() ? size_value(interp, t.sizes, &t)
                          : with_dim(interp, t, wrap(interp, a[1], t));
  });
  cls.def("stride(self, dim=None)", [](Interpreter& interp, Args a) {
    const Tensor& t = self_of(a);
    if (!a[1].is_none()) {
      return Value::integer(t.strides[wrap(interp, a[1], t)]);
    }
    std::vector<Value> items;
    for (int64_t stride : t.strides) {
      items.push_back(Value::integer(stride));
    }
    return eval::tuple(std::move(items));
  });
  cls.def_property("dtype", [](Interpreter& interp, Args a) {
    return dtype_value(interp, self_of(a).dtype);
  });
  cls.def_property(
      "device", [](Interpreter& interp, Args) { return state_of(interp).cpu; });
  cls.def_property("ndim", [](Interpreter&, Args a) {
    return Value::integer(self_of(a).dim());
  });
  for (const char* text : {"dim(self)", "ndimension(self)"}) {
    cls.def(text, [](Interpreter&, Args a) {
      return Value::integer(self_of(a).dim());
    });
  }
  for (const char* text : {"numel(self)", "nelement(self)"}) {
    cls.def(text, [](Interpreter& interp, Args a) {
      Value count = Value::integer(1);
      const Value size = size_value(interp, self_of(a).sizes, &self_of(a));
      for (const Value& item : size.get<eval::Tuple>()->items) {
        count = interp.binary("*", count, item);
      }
      return count;
    });
  }
  cls.def("is_contiguous(self, memory_format=None)", [](Interpreter&, Args a) {
    return boolean(self_of(a).is_contiguous());
  });
  cls.def("storage_offset(self)", [](Interpreter&, Args a) {
    return Value::integer(self_of(a).offset);
  });
  cls.def("element_size(self)", [](Interpreter&, Args a) {
    return Value::integer(itemsize(self_of(a).dtype));
  });
  cls.def_property("itemsize", [](Interpreter&, Args a) {
    return Value::integer(itemsize(self_of(a).dtype));
  });
  cls.def_property("nbytes", [](Interpreter&, Args a) {
    return Value::integer(itemsize(self_of(a).dtype) * self_of(a).numel());
  });
  cls.def("is_floating_point(self)", [](Interpreter&, Args a) {
    return boolean(is_floating_point(self_of(a).dtype));
  });
  cls.def("is_signed(self)", [](Interpreter&, Args a) {
    return boolean(is_signed(self_of(a).dtype));
  });
  cls.def("get_device(self)", [](Interpreter&, Args) {
    return Value::integer(-1);
  });
  for (const char* name :
       {"is_cuda",
        "is_meta",
        "is_sparse",
        "is_quantized",
        "is_mps",
        "is_xpu",
        "is_mkldnn",
        "is_nested",
        "is_hpu"}) {
    cls.def_property(name, [](Interpreter&, Args) { return boolean(false); });
  }
  cls.def_property("is_cpu", [](Interpreter&, Args) { return boolean(true); });
  for (const char* name : {"grad", "grad_fn"}) {
    cls.def_property(
        name,
        [](Interpreter&, Args) { return Value::none(); },
        [](Interpreter&, Args) { return Value::none(); });
  }
  cls.def_property("is_leaf", [](Interpreter&, Args) { return boolean(true); });
  cls.def_property(
      "requires_grad",
      [](Interpreter&, Args a) { return boolean(self_of(a).requires_grad); },
      [](Interpreter& interp, Args a) {
        a[0].get<Tensor>()->requires_grad = interp.truthy(a[1]);
        return Value::none();
      });
  cls.def_property("persistent", [](Interpreter&, Args a) {
    return boolean(self_of(a).persistent);
  });
}

/// `.data`: the same storage under another identity; assignment rebinds.
void install_data(Class& cls) {
  cls.def_property(
      "data",
      [](Interpreter& interp, Args a) {
        const Op& op = *find_op("alias");
        return dispatch(state_of(interp), interp, op, a.subspan(0, 1));
      },
      [](Interpreter& interp, Args a) {
        const Tensor* other = as_tensor(a[1]);
        if (!other) {
          interp.raise("TypeError", "data must be a Tensor");
        }
        a[0].get<Tensor>()->rebind(*other);
        return Value::none();
      });
}

void install_forms(Class& cls, State* state) {
  for (const Form& form : all_forms()) {
    const Form* f = &form;
    const auto body = [f, state](Interpreter& interp, Args a) {
      return call_form(*state, interp, *f, a);
    };
    if (form.module == "property") {
      cls.def_property(form.name, body);
    } else if (form.module == "tensor" || form.module == "inplace") {
      auto method = eval::make<eval::Native>(
          "torch.Tensor." + form.name, form.signature, body);
      cls.dict.set(eval::Symbol(form.name), Value(method));
    }
  }
  cls.def(
      "__setitem__(self, index, value)", [state](Interpreter& interp, Args a) {
        dispatch(*state, interp, *find_op("setitem_"), a);
        return Value::none();
      });
}

}  // namespace

void install_tensor_class(Interpreter& interp, State& state) {
  Class* cls = interp.define_class("Tensor", {}, eval::Kind::Tensor, "torch");
  state.tensor_class = cls;
  install_metadata(*cls);
  install_data(*cls);
  install_forms(*cls, &state);
  install_tensor_protocol(interp, state);
}

}  // namespace portwright::torch

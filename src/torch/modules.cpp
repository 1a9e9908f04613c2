#include "torch/call.h"
#include "torch/dispatch.h"
#include "torch/install.h"
#include "torch/products.h"
#include "torch/torch.h"

namespace portwright::torch {

std::string_view embedded_surface();
std::string_view embedded_nn_module();
std::string_view embedded_nn_containers();
std::string_view embedded_nn_layers();
std::string_view embedded_nn_activations();
std::string_view embedded_init();
std::string_view embedded_functional();
std::string_view embedded_products();
std::string_view embedded_host_arrays();

using eval::Class;
using eval::Interpreter;
using eval::ModuleObject;
using eval::Symbol;

namespace {

using Args = std::span<Value>;

/// The modules that prelude/surface.py describes as classes.
constexpr const char* kNamespaces[] = {
    "_C",
    "jit",
    "cuda",
    "xpu",
    "npu",
    "mps",
    "compiler",
    "_dynamo",
    "backends",
    "backends.cuda",
    "backends.cudnn",
    "backends.mps",
    "distributed",
    "version",
    "autograd",
    "autograd.function",
    "amp",
    "utils",
    "utils.checkpoint",
    "utils.data",
    "utils._pytree",
    "utils.hooks",
    "library",
    "overrides",
    "fx",
    "fx._pytree",
    "func",
    "distributions",
    "distributions.normal",
    "profiler",
    "nested",
    "random",
    "types",
    "multiprocessing",
    "nn.utils",
    "nn.utils.parametrizations"};

/// The forms that live in a module ("torch", "F", "linalg", ...).
void add_forms(ModuleObject& module, std::string_view where, State* state) {
  for (const Form& form : all_forms()) {
    if (form.module != where) {
      continue;
    }
    const Form* f = &form;
    module.set(
        form.name,
        eval::make<eval::Native>(
            module.name + "." + form.name,
            form.signature,
            [f, state](Interpreter& interp, Args a) {
              return call_form(*state, interp, *f, a);
            }));
  }
  // Every in-place op is a function of torch too: torch.relu_(x).
  if (where == "torch" || where == "F") {
    for (const Form& form : all_forms()) {
      if (form.module == "inplace" && form.name.ends_with("_") &&
          !form.name.starts_with("_")) {
        const Form* f = &form;
        module.set(
            form.name,
            eval::make<eval::Native>(
                module.name + "." + form.name,
                form.signature,
                [f, state](Interpreter& interp, Args a) {
                  return call_form(*state, interp, *f, a);
                }));
      }
    }
  }
}

void copy_names(ModuleObject& into, const eval::AttrMap& from, bool overwrite) {
  for (const auto& [name, value] : from.entries()) {
    if (name.str().starts_with("__") && name.str() != "__version__") {
      continue;
    }
    if (overwrite || !into.attrs->find(name)) {
      into.attrs->set(
          name,
          value.is(eval::Kind::StaticMethod)
              ? value.get<eval::MethodWrapper>()->function
              : value);
    }
  }
}

Value type_object(Class* cls) {
  return Value(static_cast<eval::Object*>(cls));
}

void add_type_functions(ModuleObject& module) {
  module.def("is_tensor(obj)", [](Interpreter&, Args a) {
    return Value::boolean(as_tensor(a[0]) != nullptr);
  });
  module.def("is_floating_point(input)", [](Interpreter& interp, Args a) {
    if (!as_tensor(a[0])) {
      interp.raise("TypeError", "input must be Tensor");
    }
    return Value::boolean(is_floating_point(as_tensor(a[0])->dtype));
  });
  module.def("numel(input)", [](Interpreter& interp, Args a) {
    return interp.call_method(a[0], "numel");
  });
  module.def("get_default_dtype()", [](Interpreter& interp, Args) {
    return dtype_value(interp, default_dtype(interp));
  });
  module.def("set_default_dtype(d)", [](Interpreter& interp, Args a) {
    const auto dtype = as_dtype(interp, a[0]);
    if (!dtype || !is_floating_point(*dtype)) {
      interp.raise("TypeError", "only floating-point types are supported");
    }
    set_default_dtype(interp, *dtype);
    return Value::none();
  });
  module.def("get_default_device()", [](Interpreter& interp, Args) {
    return state_of(interp).cpu;
  });
  module.def("result_type(tensor1, tensor2)", [](Interpreter& interp, Args a) {
    ResultType types(default_dtype(interp));
    for (const Value& v : {a[0], a[1]}) {
      as_tensor(v) ? types.add(*as_tensor(v)) : types.add_number(v);
    }
    return dtype_value(interp, types.result().value_or(Dtype::Float32));
  });
  module.def("promote_types(type1, type2)", [](Interpreter& interp, Args a) {
    const auto x = as_dtype(interp, a[0]), y = as_dtype(interp, a[1]);
    const auto both = x && y ? promote_types(*x, *y) : std::nullopt;
    if (!both) {
      interp.raise("TypeError", "promote_types(): the types do not promote");
    }
    return dtype_value(interp, *both);
  });
  module.def("can_cast(from_, to)", [](Interpreter& interp, Args a) {
    return Value::boolean(can_cast(
        as_dtype(interp, a[0]).value(), as_dtype(interp, a[1]).value()));
  });
  module.def("broadcast_shapes(*shapes)", [](Interpreter& interp, Args a) {
    static const Op op{"broadcast_shapes", {}, nullptr};
    Sizes sizes;
    for (const Value& shape : interp.to_vector(a[0])) {
      const Value one[] = {shape};
      Call call(interp, state_of(interp), op, one);
      sizes = broadcast_sizes(call, sizes, call.ints(0));
    }
    return size_value(interp, sizes);
  });
}

/// torch.LongTensor and its like: constructors, and names in annotations.
void add_tensor_type(
    Interpreter& interp,
    ModuleObject& module,
    State& state,
    Dtype dtype) {
  Class* cls = interp.define_class(
      tensor_type_name(dtype),
      {state.tensor_class},
      eval::Kind::Tensor,
      "torch");
  cls->def_static(
      "__new__(cls, *args, **kwargs)", [dtype](Interpreter& interp, Args a) {
        const auto& items = a[1].get<eval::Tuple>()->items;
        const bool data = items.size() == 1 && !items[0].is_integral();
        const Value args[] = {
            data ? items[0] : a[1], dtype_value(interp, dtype)};
        return dispatch(
            state_of(interp),
            interp,
            *find_op(data ? "tensor" : "zeros"),
            args);
      });
  module.set(tensor_type_name(dtype), type_object(cls));
}

void add_types(Interpreter& interp, ModuleObject& module, State& state) {
  module.set("Tensor", type_object(state.tensor_class));
  module.set("Size", type_object(state.size_class));
  module.set("dtype", type_object(state.dtype_class));
  module.set("device", type_object(state.device_class));
  for (int i = 0; i < kDtypeCount; ++i) {
    const auto dtype = static_cast<Dtype>(i);
    module.set(name(dtype), dtype_value(interp, dtype));
    if (!tensor_type_name(dtype).empty()) {
      add_tensor_type(interp, module, state, dtype);
    }
  }
  for (const char* alias :
       {"half", "float", "double", "short", "int", "long", "cfloat"}) {
    module.set(alias, dtype_value(interp, *dtype_by_name(alias)));
  }
}

/// What Python of ours imports from C++ of ours.
void fill_native(Interpreter& interp, ModuleObject& module, State& state) {
  install_module_base(interp, module);
  add_forms(module, "_native", &state);
  module.set("Parameter", type_object(state.parameter_class));
  module.set("Buffer", type_object(state.buffer_class));
  module.def("refuse(message)", [](Interpreter& interp, Args a) -> Value {
    interp.refuse(
        diagnostics::Kind::UnsupportedFunction,
        a[0].str(),
        "Portwright does not implement this yet");
  });
}

/// Optional parts that code looks for before it uses them: there are none.
bool known_absent(const std::string& name) {
  static const std::set<std::string> names{
      "hpu",
      "mlu",
      "musa",
      "privateuse1",
      "tpu",
      "sdaa",
      "accelerator",
      "float8_e8m0fnu",
      "uint1",
      "int1"};
  return names.contains(name) || name.starts_with("__");
}

/// A name we lack is a hole, not an AttributeError that code could swallow.
void refuse_unknown(ModuleObject& module) {
  const std::string prefix = module.name;
  module.getattr = [prefix](Interpreter& interp, Symbol name) -> Value {
    if (interp.can_import(prefix + "." + name.str())) {
      return interp.import_module(prefix + "." + name.str());
    }
    if (known_absent(name.str())) {
      return {};
    }
    interp.refuse(
        diagnostics::Kind::UnsupportedFunction,
        "'" + prefix + "." + name.str() + "' is not known",
        "Portwright does not implement this name yet");
  };
}

void fill_torch(Interpreter& interp, ModuleObject& module, State& state) {
  add_types(interp, module, state);
  add_forms(module, "torch", &state);
  add_type_functions(module);
  install_random_functions(module);
  const auto surface = interp.import_module("torch._surface");
  copy_names(module, *surface->attrs, false);
  for (const char* name : {"nn", "linalg", "special", "fft"}) {
    module.set(name, interp.import_module(std::string("torch.") + name));
  }
  module.set(
      "einsum",
      interp.getattr(interp.import_module("torch._products"), "einsum"));
  for (const std::string path : kNamespaces) {
    if (path.find('.') == path.npos) {
      module.set(path, interp.import_module("torch." + path));
    }
  }
  refuse_unknown(module);
}

void fill_nn(Interpreter& interp, ModuleObject& module) {
  for (const char* part : {"module", "containers", "layers", "activations"}) {
    const auto source = interp.import_module(std::string("torch._nn.") + part);
    for (const auto& [name, value] : source->attrs->entries()) {
      if (value.is(eval::Kind::Class)) {
        module.attrs->set(name, value);
      }
    }
  }
  const auto native = interp.import_module("torch._native");
  for (const char* name : {"Parameter", "Buffer"}) {
    module.set(name, *native->attrs->find(Symbol(name)));
  }
  refuse_unknown(module);
}

/// torch.a.b is the class a.b of the surface, member by member.
void fill_namespace(
    Interpreter& interp,
    ModuleObject& module,
    const std::string& path) {
  interp.import_module("torch");
  Value at = interp.import_module("torch._surface");
  size_t begin = 0;
  while (begin < path.size()) {
    const size_t end = std::min(path.find('.', begin), path.size());
    at = interp.getattr(at, path.substr(begin, end - begin));
    begin = end + 1;
  }
  const auto& mro = at.get<Class>()->mro;
  for (const Class* c : mro) {
    if (c != interp.types.object) {
      copy_names(module, c->dict, false);
    }
  }
  // Nested classes that are modules of their own.
  for (const auto& [name, value] : module.attrs->entries()) {
    const std::string below = module.name + "." + name.str();
    if (value.is(eval::Kind::Class) && interp.can_import(below)) {
      module.attrs->set(name, interp.import_module(below));
    }
  }
  refuse_unknown(module);
}

}  // namespace

void register_modules(Interpreter& interp, State& state) {
  State* s = &state;
  interp.register_native_module(
      "torch", [s](Interpreter& i, ModuleObject& m) { fill_torch(i, m, *s); });
  interp.register_native_module(
      "torch._native",
      [s](Interpreter& i, ModuleObject& m) { fill_native(i, m, *s); });
  interp.register_source_module("torch._surface", embedded_surface());
  interp.register_source_module("torch._products", embedded_products());
  interp.register_source_module("torch._host_arrays", embedded_host_arrays());
  interp.register_source_module("torch._nn.module", embedded_nn_module());
  interp.register_source_module(
      "torch._nn.containers", embedded_nn_containers());
  interp.register_source_module("torch._nn.layers", embedded_nn_layers());
  interp.register_source_module(
      "torch._nn.activations", embedded_nn_activations());
  interp.register_native_module("torch.nn", fill_nn);
  interp.register_source_module("torch.nn.init", embedded_init());
  interp.register_source_module("torch.nn._functional", embedded_functional());
  interp.register_native_module(
      "torch.nn.functional", [s](Interpreter& i, ModuleObject& m) {
        add_forms(m, "F", s);
        copy_names(m, *i.import_module("torch.nn._functional")->attrs, false);
        refuse_unknown(m);
      });
  for (const char* name : {"linalg", "special", "fft"}) {
    interp.register_native_module(
        std::string("torch.") + name, [s, name](Interpreter&, ModuleObject& m) {
          add_forms(m, name, s);
          refuse_unknown(m);
        });
  }
  // Parts of torch.nn under their real paths.
  for (const char* name :
       {"modules",
        "modules.module",
        "modules.linear",
        "modules.activation",
        "modules.normalization",
        "modules.container",
        "modules.sparse",
        "modules.conv",
        "modules.dropout",
        "modules.loss",
        "modules.batchnorm",
        "parameter"}) {
    interp.register_native_module(
        std::string("torch.nn.") + name, [](Interpreter& i, ModuleObject& m) {
          copy_names(m, *i.import_module("torch.nn")->attrs, false);
          refuse_unknown(m);
        });
  }
  for (const char* path : kNamespaces) {
    interp.register_native_module(
        std::string("torch.") + path, [path](Interpreter& i, ModuleObject& m) {
          fill_namespace(i, m, path);
        });
  }
}

void install_torch(Interpreter& interp) {
  bring_products();
  State& state = make_state(interp);
  install_value_classes(interp, state);
  register_modules(interp, state);
}

}  // namespace portwright::torch

#include "candidate/core_module.h"

#include <limits>

#include "base/check.h"
#include "candidate/indexing.h"
#include "candidate/op.h"

namespace portwright::candidate {

std::string_view embedded_core_surface();

using eval::Class;
using eval::Interpreter;
using eval::ModuleObject;
using eval::Ref;
using eval::Symbol;

void State::clear() {
  Object::clear();
  dtypes.clear();
}

namespace {

using Args = std::span<Value>;

/// Kept as an attribute of builtins, out of reach for Python by its spelling.
const Symbol kKey{"<mlx.core>"};

State& state_of(Interpreter& interp) {
  interp.import_module("mlx.core");
  const Value* state = interp.builtins().attrs->find(kKey);
  PW_CHECK(state, "mlx.core is not installed in this interpreter");
  return *state->get<State>();
}

const std::pair<const char*, mx::Dtype> kDtypes[] = {
    {"bool_", mx::bool_},
    {"uint8", mx::uint8},
    {"uint16", mx::uint16},
    {"uint32", mx::uint32},
    {"uint64", mx::uint64},
    {"int8", mx::int8},
    {"int16", mx::int16},
    {"int32", mx::int32},
    {"int64", mx::int64},
    {"float16", mx::float16},
    {"bfloat16", mx::bfloat16},
    {"float32", mx::float32},
    {"float64", mx::float64},
    {"complex64", mx::complex64},
};

const std::pair<const char*, mx::Dtype::Category> kCategories[] = {
    {"complexfloating", mx::complexfloating},
    {"floating", mx::floating},
    {"inexact", mx::inexact},
    {"signedinteger", mx::signedinteger},
    {"unsignedinteger", mx::unsignedinteger},
    {"integer", mx::integer},
    {"number", mx::number},
    {"generic", mx::generic},
};

/// An mx.DtypeCategory.
struct CategoryObject : eval::Object {
  CategoryObject(Class* cls, mx::Dtype::Category category)
      : Object(eval::Kind::Opaque, cls), category(category) {}
  mx::Dtype::Category category;
};

/// What Python code that MLX complains about sees.
template <typename Body>
Value guarded(Interpreter& interp, Body&& body) {
  try {
    return body();
  } catch (const std::invalid_argument& error) {
    interp.raise("ValueError", error.what());
  } catch (const std::out_of_range& error) {
    interp.raise("IndexError", error.what());
  } catch (const std::runtime_error& error) {
    interp.raise("RuntimeError", error.what());
  }
}

eval::Native::Body body_of(OpBody body, State* state) {
  return [body, state](Interpreter& interp, Args args) {
    Call call(interp, *state, args);
    Value result = guarded(interp, [&] { return body(call); });
    if (const Array* array = as_array(result)) {
      state->submission.built(array->array);
    }
    return result;
  };
}

/// Every function of mlx.core takes a stream.
std::string with_stream(std::string signature) {
  const bool keywords = signature.find('*') != std::string::npos;
  signature.pop_back();
  return signature + (keywords ? ", stream=None)" : ", *, stream=None)");
}

struct Places {
  ModuleObject& core;
  Ref<ModuleObject> fast, random, linalg;
};

void install_op(const OpSpec& op, State* state, const Places& places) {
  const auto body = body_of(op.body, state);
  const std::string text = op.signature;
  const std::string full = with_stream(text);
  if (op.places & kModule) {
    places.core.def(full, body);
  }
  if (op.places & kMethod) {
    state->array_class->def(text.starts_with("__") ? text : full, body);
  }
  if (op.places & kProperty) {
    state->array_class->def_property(text.substr(0, text.find('(')), body);
  }
  if (op.places & kFast) {
    places.fast->def(full, body);
  }
  if (op.places & kRandom) {
    places.random->def(full, body);
  }
  if (op.places & kLinalg) {
    places.linalg->def(full, body);
  }
}

void install_items(Class& cls, State* state) {
  cls.def_static(
      "__new__(cls, val, dtype=None)", [state](Interpreter& interp, Args a) {
        Call call(interp, *state, a);
        return guarded(interp, [&] {
          return call.make(array_from(interp, a[1], call.dtype(2)));
        });
      });
  cls.def("__init__(self, *args, **kwargs)", [](Interpreter&, Args) {
    return Value::none();
  });
  cls.def("__getitem__(self, index)", [state](Interpreter& interp, Args a) {
    return guarded(interp, [&] {
      return make_array(*state, get_item(interp, as_array(a[0])->array, a[1]));
    });
  });
  cls.def("__setitem__(self, index, value)", [](Interpreter& interp, Args a) {
    return guarded(interp, [&] {
      Array& x = *as_array(a[0]);
      x.array = set_item(interp, x.array, a[1], a[2]);
      return Value::none();
    });
  });
}

/// x.at and x.at[index]: the array, and then the index, wait for a method.
struct At : eval::Object {
  At(Class* cls, Value array, Value index)
      : Object(eval::Kind::Opaque, cls),
        array(std::move(array)),
        index(std::move(index)) {}
  void clear() override {
    Object::clear();
    array = index = Value();
  }
  Value array, index;
};

/// Each of the elements once: MLX's sums over repeated indices are refused.
Value updated(
    Interpreter& interp,
    const State& state,
    Args a,
    std::string_view op) {
  const At& at = *a[0].get<At>();
  const mx::array& x = as_array(at.array)->array;
  const Value current = make_array(state, get_item(interp, x, at.index));
  const Value fresh = interp.binary(op, current, a[1]);
  return make_array(state, set_item(interp, x, at.index, fresh));
}

bool gathers(Interpreter& interp, const Value& index) {
  if (index.is(eval::Kind::Tuple)) {
    const auto items = interp.to_vector(index);
    return std::any_of(items.begin(), items.end(), [&](const Value& item) {
      return gathers(interp, item);
    });
  }
  return as_array(index) || index.is(eval::Kind::List);
}

void install_at(Interpreter& interp, State* state) {
  Class* cls =
      interp.define_class("ArrayAt", {}, eval::Kind::Opaque, "mlx.core");
  state->at_class = cls;
  state->array_class->def_property("at", [cls](Interpreter&, Args a) {
    return Value(eval::make<At>(cls, a[0], Value()));
  });
  cls->def("__getitem__(self, index)", [cls](Interpreter& interp, Args a) {
    if (gathers(interp, a[1])) {
      interp.refuse(
          diagnostics::Kind::UnsupportedOperation,
          "array.at[] by an array of indices");
    }
    return Value(eval::make<At>(cls, a[0].get<At>()->array, a[1]));
  });
  for (const auto& [name, op] :
       {std::pair{"add", "+"},
        std::pair{"subtract", "-"},
        std::pair{"multiply", "*"},
        std::pair{"divide", "/"}}) {
    cls->def(
        std::string(name) + "(self, value)",
        [state, op = std::string(op)](Interpreter& interp, Args a) {
          return guarded(
              interp, [&] { return updated(interp, *state, a, op); });
        });
  }
}

void install_dtypes(Interpreter& interp, State* state, ModuleObject& core) {
  Class* cls = interp.define_class("Dtype", {}, eval::Kind::Opaque, "mlx.core");
  state->dtype_class = cls;
  for (const auto& [name, dtype] : kDtypes) {
    const Value value(eval::make<DtypeObject>(cls, dtype));
    state->dtypes[dtype.val()] = value;
    core.set(name, value);
  }
  cls->def_property("size", [](Interpreter&, Args a) {
    return Value::integer(mx::size_of(as_dtype(a[0])->dtype));
  });
  cls->def("__repr__(self)", [](Interpreter&, Args a) {
    const mx::Dtype dtype = as_dtype(a[0])->dtype;
    const auto* named = std::find_if(
        std::begin(kDtypes), std::end(kDtypes), [&](const auto& entry) {
          return entry.second == dtype;
        });
    std::string name = named->first;
    return eval::str("mlx.core." + (dtype == mx::bool_ ? "bool" : name));
  });
  core.set("Dtype", Value(static_cast<eval::Object*>(cls)));

  Class* categories =
      interp.define_class("DtypeCategory", {}, eval::Kind::Opaque, "mlx.core");
  core.set("DtypeCategory", Value(static_cast<eval::Object*>(categories)));
  for (const auto& [name, category] : kCategories) {
    core.set(name, eval::make<CategoryObject>(categories, category));
  }
  core.def("issubdtype(a, b)", [categories](Interpreter& interp, Args a) {
    const auto category = [&](const Value& v) -> const CategoryObject* {
      return v.is(eval::Kind::Opaque) && v.object()->cls == categories
                 ? v.get<CategoryObject>()
                 : nullptr;
    };
    const auto *x = as_dtype(a[0]), *y = as_dtype(a[1]);
    const auto *c = category(a[0]), *d = category(a[1]);
    if ((!x && !c) || (!y && !d)) {
      interp.raise("TypeError", "issubdtype() takes dtypes and categories");
    }
    return Value::boolean(
        x ? (y ? mx::issubdtype(x->dtype, y->dtype)
               : mx::issubdtype(x->dtype, d->category))
          : d && mx::issubdtype(c->category, d->category));
  });
}

/// finfo: (min, max, eps, smallest normal); iinfo: (min, max).
Value bounds(Interpreter& interp, Args a) {
  const DtypeObject* dtype = as_dtype(a[0]);
  if (!dtype) {
    interp.raise("TypeError", "finfo() and iinfo() take a Dtype");
  }
  if (mx::issubdtype(dtype->dtype, mx::inexact)) {
    const mx::finfo info(dtype->dtype);
    return eval::tuple(
        {Value::real(info.min),
         Value::real(info.max),
         Value::real(info.eps),
         Value::real(info.smallest_normal)});
  }
  const mx::iinfo info(dtype->dtype);
  return eval::tuple(
      {Value::integer(info.min),
       Value::integer(static_cast<int64_t>(info.max))});
}

void install_surface(Interpreter& interp, ModuleObject& core) {
  const auto surface = interp.import_module("mlx.core._surface");
  const Value space = interp.getattr(Value(surface), "Namespace");
  for (const auto& [name, value] : surface->attrs->entries()) {
    if (name.str().starts_with("_") || name.str() == "Namespace") {
      continue;
    }
    if (value.is(eval::Kind::Class) &&
        interp.issubclass(value.get<Class>(), space)) {
      interp.register_native_module(
          "mlx.core." + name.str(),
          [members = value](Interpreter&, ModuleObject& module) {
            for (const auto& [key, member] :
                 members.get<Class>()->dict.entries()) {
              if (!key.str().starts_with("__")) {
                module.set(key.str(), member);
              }
            }
          });
      core.set(
          name.str(), Value(interp.import_module("mlx.core." + name.str())));
      continue;
    }
    core.set(name.str(), value);
  }
}

void install_core(Interpreter& interp, ModuleObject& core) {
  auto made = eval::make<State>();
  interp.builtins().attrs->set(kKey, made);
  State* state = made.get();
  state->array_class =
      interp.define_class("array", {}, eval::Kind::Opaque, "mlx.core");
  core.set("array", Value(static_cast<eval::Object*>(state->array_class)));
  install_dtypes(interp, state, core);
  install_items(*state->array_class, state);
  install_at(interp, state);
  const Places places{
      core,
      interp.import_module("mlx.core.fast"),
      interp.import_module("mlx.core.random"),
      interp.import_module("mlx.core.linalg")};
  core.set("fast", Value(places.fast));
  core.set("random", Value(places.random));
  core.set("linalg", Value(places.linalg));
  for (const auto ops :
       {arithmetic_ops(),
        unary_ops(),
        reduce_ops(),
        shape_ops(),
        create_ops(),
        select_ops(),
        linear_ops(),
        random_ops(),
        conversion_ops()}) {
    for (const OpSpec& op : ops) {
      install_op(op, state, places);
    }
  }
  install_surface(interp, core);
}

}  // namespace

void install_mlx_core(Interpreter& interp) {
  interp.register_native_module("mlx", [](Interpreter&, ModuleObject&) {});
  interp.register_native_module("mlx.core", install_core);
  for (const char* name : {"fast", "random", "linalg"}) {
    interp.register_native_module(
        std::string("mlx.core.") + name, [](Interpreter&, ModuleObject&) {});
  }
  interp.register_source_module("mlx.core._surface", embedded_core_surface());
  interp.register_native_module(
      "mlx._native", [](Interpreter&, ModuleObject& module) {
        module.def("bounds(dtype)", bounds);
        module.def("refuse(message)", [](Interpreter& interp, Args a) -> Value {
          interp.refuse(diagnostics::Kind::UnsupportedFunction, a[0].str());
        });
      });
}

mx::array array_of(Interpreter& interp, const Value& value) {
  const Array* array = as_array(value);
  if (!array) {
    interp.raise(
        "TypeError",
        "an array is expected, not " + interp.class_of(value)->name);
  }
  return array->array;
}

Value array_value(Interpreter& interp, mx::array array) {
  return make_array(state_of(interp), std::move(array));
}

torch::Submission& submission(Interpreter& interp) {
  return state_of(interp).submission;
}

}  // namespace portwright::candidate

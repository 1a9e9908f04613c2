// property, staticmethod, classmethod, slice.

#include "eval/builtins/support.h"

namespace portwright::eval {

namespace {

Property& as_property(Interpreter& in, const Value& v) {
  if (!v.is(Kind::Property)) {
    in.raise("TypeError", "expected a property");
  }
  return *v.get<Property>();
}

MethodWrapper& as_wrapper(Interpreter& in, const Value& v) {
  if (!v.is(Kind::StaticMethod) && !v.is(Kind::ClassMethod)) {
    in.raise("TypeError", "expected a staticmethod or classmethod");
  }
  return *v.get<MethodWrapper>();
}

Value or_none(const Value& v) {
  return v.defined() ? v : Value::none();
}

// A property like `p`, of the same class, with one function replaced.
Value changed(
    Interpreter& in,
    const Value& p,
    Value Property::*which,
    Value f) {
  const Property& old = as_property(in, p);
  Ref<Property> out = make<Property>(old.getter, old.setter, old.deleter);
  out->cls = old.cls;
  out.get()->*which = std::move(f);
  return Value(out);
}

void install_property(Interpreter& interp) {
  Class* cls = interp.types.property;
  cls->def(
      "__init__(self, fget=None, fset=None, fdel=None, doc=None)",
      [](Interpreter& in, Args a) -> Value {
        Property& p = as_property(in, a[0]);
        p.getter = a[1];
        p.setter = given(a[2]) ? a[2] : Value();
        p.deleter = given(a[3]) ? a[3] : Value();
        return Value::none();
      });
  constexpr std::tuple<const char*, const char*, Value Property::*> parts[] = {
      {"getter(self, f)", "fget", &Property::getter},
      {"setter(self, f)", "fset", &Property::setter},
      {"deleter(self, f)", "fdel", &Property::deleter}};
  for (const auto& [signature, field, member] : parts) {
    cls->def(signature, [member = member](Interpreter& in, Args a) -> Value {
      return changed(in, a[0], member, a[1]);
    });
    cls->def_property(
        field, [member = member](Interpreter& in, Args a) -> Value {
          return or_none(as_property(in, a[0]).*member);
        });
  }
  cls->def(
      "__get__(self, instance, owner=None)",
      [](Interpreter& in, Args a) -> Value {
        return a[1].is_none() ? a[0]
                              : in.call(as_property(in, a[0]).getter, {a[1]});
      });
  cls->def(
      "__set__(self, instance, value)", [](Interpreter& in, Args a) -> Value {
        const Value& setter = as_property(in, a[0]).setter;
        if (!given(setter)) {
          in.raise("AttributeError", "property has no setter");
        }
        in.call(setter, {a[1], a[2]});
        return Value::none();
      });
}

void install_wrapper(Class* cls, Kind kind) {
  cls->def_static(
      "__new__(cls, function)", [kind](Interpreter& in, Args a) -> Value {
        Ref<MethodWrapper> out = make<MethodWrapper>(kind, a[1]);
        out->cls = &as_class(in, a[0]);
        return Value(out);
      });
  cls->def("__init__(self, function)", [](Interpreter&, Args) -> Value {
    return Value::none();
  });
  for (const char* name : {"__func__", "__wrapped__"}) {
    cls->def_property(name, [](Interpreter& in, Args a) -> Value {
      return as_wrapper(in, a[0]).function;
    });
  }
  cls->def(
      "__get__(self, instance, owner=None)",
      [kind](Interpreter& in, Args a) -> Value {
        const Value& function = as_wrapper(in, a[0]).function;
        if (kind == Kind::StaticMethod) {
          return function;
        }
        const Value owner = given(a[2]) ? a[2] : class_value(in.class_of(a[1]));
        return Value(make<BoundMethod>(owner, function));
      });
}

void install_slice(Interpreter& interp) {
  Class* cls = interp.types.slice;
  cls->def_static(
      "__new__(cls, start, stop=..., step=None, /)",
      [](Interpreter&, Args a) -> Value {
        return a[2].defined()
                   ? Value(make<Slice>(a[1], a[2], a[3]))
                   : Value(make<Slice>(Value::none(), a[1], Value::none()));
      });
  cls->def("__init__(self, *args)", [](Interpreter&, Args) -> Value {
    return Value::none();
  });
  constexpr std::pair<const char*, Value Slice::*> fields[] = {
      {"start", &Slice::lower},
      {"stop", &Slice::upper},
      {"step", &Slice::step}};
  for (const auto& [name, member] : fields) {
    cls->def_property(
        name, [member = member](Interpreter& in, Args a) -> Value {
          return or_none(as_slice(in, a[0]).*member);
        });
  }
  cls->def("indices(self, length)", [](Interpreter& in, Args a) -> Value {
    const Slice& s = as_slice(in, a[0]);
    const int64_t size = as_index(in, a[1]);
    const auto [start, step, count] = resolve_slice(in, s, size);
    // What resolve_slice leaves out: the stop, clipped as Python clips it.
    int64_t stop = step > 0 ? size : -1;
    if (given(s.upper)) {
      const int64_t u = as_index(in, s.upper);
      stop = std::clamp<int64_t>(
          u < 0 ? u + size : u, step > 0 ? 0 : -1, step > 0 ? size : size - 1);
    }
    return tuple(
        {Value::integer(start), Value::integer(stop), Value::integer(step)});
  });
}

}  // namespace

void install_descriptors(Interpreter& interp) {
  install_property(interp);
  install_wrapper(interp.types.staticmethod, Kind::StaticMethod);
  install_wrapper(interp.types.classmethod, Kind::ClassMethod);
  install_slice(interp);
}

}  // namespace portwright::eval

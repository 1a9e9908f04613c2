// object's methods, and the special methods of builtin containers, so that
// subclasses reach them through super().

#include "eval/builtins/support.h"
#include "eval/generic_alias.h"
#include "eval/views.h"

namespace portwright::eval {

void install_object_methods(Interpreter& interp) {
  Class* object = interp.types.object;
  object->def_static(
      "__new__(cls, *args, **kwargs)", [](Interpreter& in, Args a) -> Value {
        return allocate(in, &as_class(in, a[0]));
      });
  object->def("__repr__(self)", [](Interpreter& in, Args a) -> Value {
    return str(default_repr(in, a[0]));
  });
  object->def("__str__(self)", [](Interpreter& in, Args a) -> Value {
    return str(in.repr(a[0]));
  });
  object->def("__format__(self, spec)", [](Interpreter& in, Args a) -> Value {
    const std::string text = in.to_str(a[0]);
    return str(in.format(str(text), as_str(in, a[1]).text));
  });
  object->def("__hash__(self)", [](Interpreter&, Args a) -> Value {
    const auto address =
        reinterpret_cast<uintptr_t>(a[0].is_object() ? a[0].object() : nullptr);
    return Value::integer(static_cast<int64_t>(address >> 4));
  });
  object->def("__eq__(self, other)", [](Interpreter&, Args a) -> Value {
    const bool same =
        a[0].is_object() && a[1].is_object() && a[0].object() == a[1].object();
    return same ? Value::boolean(true) : Value::not_implemented();
  });
  object->def("__ne__(self, other)", [](Interpreter& in, Args a) -> Value {
    static const Symbol eq("__eq__");
    const Value r = call_special(in, a[0], eq, {a[1]});
    return r.tag() == Tag::NotImplemented ? r : Value::boolean(!in.truthy(r));
  });
  object->def("__dir__(self)", [](Interpreter& in, Args a) -> Value {
    return in.call(
        in.getattr(Value(static_cast<Object*>(&in.builtins())), "dir"), {a[0]});
  });
}

namespace {

Value checked(Interpreter& interp, const Class* cls, const Value& self) {
  if (!self.is_object() || builtin_class(interp, self.object()) != cls) {
    interp.raise(
        "TypeError",
        fmt::format(
            "descriptor requires a '{}' object but received a '{}'",
            cls->name,
            type_name(interp, self)));
  }
  return self;
}

Value or_not_implemented(Value v) {
  return v.defined() ? v : Value::not_implemented();
}

void define_comparisons(Class* cls) {
  constexpr std::pair<const char*, Comparison> table[] = {
      {"__eq__", Comparison::Eq},
      {"__ne__", Comparison::Ne},
      {"__lt__", Comparison::Lt},
      {"__le__", Comparison::Le},
      {"__gt__", Comparison::Gt},
      {"__ge__", Comparison::Ge}};
  for (const auto& [name, op] : table) {
    cls->def(
        std::string(name) + "(self, other)",
        [cls, op = op](Interpreter& in, Args a) -> Value {
          checked(in, cls, a[0]);
          return or_not_implemented(builtin_compare(in, op, a[0], a[1]));
        });
  }
}

void define_operator(Class* cls, const std::string& name, Operator op) {
  cls->def(
      "__" + name + "__(self, other)",
      [cls, op](Interpreter& in, Args a) -> Value {
        checked(in, cls, a[0]);
        return or_not_implemented(container_binary(in, op, a[0], a[1]));
      });
  cls->def(
      "__r" + name + "__(self, other)",
      [cls, op](Interpreter& in, Args a) -> Value {
        checked(in, cls, a[0]);
        return or_not_implemented(container_binary(in, op, a[1], a[0]));
      });
}

void define_in_place(Class* cls, const std::string& name, Operator op) {
  cls->def(
      "__i" + name + "__(self, other)",
      [cls, op](Interpreter& in, Args a) -> Value {
        checked(in, cls, a[0]);
        return or_not_implemented(container_in_place(in, op, a[0], a[1]));
      });
}

void define_reading(Class* cls) {
  cls->def("__len__(self)", [cls](Interpreter& in, Args a) -> Value {
    return Value::integer(builtin_length(checked(in, cls, a[0])));
  });
  cls->def("__iter__(self)", [cls](Interpreter& in, Args a) -> Value {
    return Value(builtin_iterate(in, checked(in, cls, a[0])));
  });
  cls->def("__contains__(self, item)", [cls](Interpreter& in, Args a) -> Value {
    return Value::boolean(
        builtin_contains(in, checked(in, cls, a[0]), a[1]) > 0);
  });
  cls->def("__repr__(self)", [cls](Interpreter& in, Args a) -> Value {
    return str(builtin_repr(in, checked(in, cls, a[0])));
  });
  cls->def("__getitem__(self, index)", [cls](Interpreter& in, Args a) -> Value {
    return builtin_getitem(in, checked(in, cls, a[0]), a[1]);
  });
}

void define_writing(Class* cls) {
  cls->def(
      "__setitem__(self, index, value)",
      [cls](Interpreter& in, Args a) -> Value {
        builtin_setitem(in, checked(in, cls, a[0]), a[1], a[2]);
        return Value::none();
      });
  cls->def("__delitem__(self, index)", [cls](Interpreter& in, Args a) -> Value {
    builtin_delitem(in, checked(in, cls, a[0]), a[1]);
    return Value::none();
  });
  cls->dict.set(Symbol("__hash__"), Value::none());
}

void define_hash(Class* cls) {
  cls->def("__hash__(self)", [cls](Interpreter& in, Args a) -> Value {
    const Value self = checked(in, cls, a[0]);
    if (self.is_str()) {
      return Value::integer(
          static_cast<int64_t>(std::hash<std::string_view>{}(self.str())));
    }
    return Value::integer(static_cast<int64_t>(in.hash(self)));
  });
}

}  // namespace

void install_container_protocols(Interpreter& interp) {
  const Types& t = interp.types;
  for (Class* cls :
       {t.str, t.bytes, t.list, t.tuple, t.dict, t.set, t.frozenset, t.range}) {
    define_reading(cls);
    define_comparisons(cls);
  }
  for (Class* cls : {t.set, t.frozenset}) {
    cls->dict.erase(Symbol("__getitem__"));
    define_operator(cls, "and", Operator::And);
    define_operator(cls, "or", Operator::Or);
    define_operator(cls, "sub", Operator::Sub);
    define_operator(cls, "xor", Operator::Xor);
  }
  for (Class* cls : {t.str, t.bytes, t.list, t.tuple}) {
    define_operator(cls, "add", Operator::Add);
    define_operator(cls, "mul", Operator::Mul);
    cls->dict.erase(Symbol("__radd__"));
  }
  define_operator(t.str, "mod", Operator::Mod);
  t.str->dict.erase(Symbol("__rmod__"));
  define_operator(t.dict, "or", Operator::Or);
  define_writing(t.list);
  define_writing(t.dict);
  t.set->dict.set(Symbol("__hash__"), Value::none());
  for (Class* cls : {t.str, t.bytes, t.tuple, t.frozenset, t.range}) {
    define_hash(cls);
  }
  define_in_place(t.list, "add", Operator::Add);
  define_in_place(t.list, "mul", Operator::Mul);
  define_in_place(t.dict, "or", Operator::Or);
  define_in_place(t.set, "and", Operator::And);
  define_in_place(t.set, "or", Operator::Or);
  define_in_place(t.set, "sub", Operator::Sub);
  define_in_place(t.set, "xor", Operator::Xor);
  t.iterator->def(
      "__iter__(self)", [](Interpreter&, Args a) -> Value { return a[0]; });
  t.iterator->def("__next__(self)", [](Interpreter& in, Args a) -> Value {
    Value v = advance(in, a[0]);
    if (!v.defined()) {
      raise_with(in, "StopIteration", {});
    }
    return v;
  });
}

namespace {

GenericAlias& checked_alias(Interpreter& in, const Value& v) {
  GenericAlias* alias = as_alias(in, v);
  if (!alias) {
    in.raise("TypeError", "expected a generic alias");
  }
  return *alias;
}

bool same_alias(Interpreter& in, const GenericAlias& x, const GenericAlias& y) {
  if (x.cls != y.cls || x.args.size() != y.args.size()) {
    return false;
  }
  if (x.cls == in.types.generic_alias) {
    return in.equal(x.origin, y.origin) &&
           in.equal(tuple(x.args), tuple(y.args));
  }
  const Value members = tuple(y.args);
  return std::all_of(x.args.begin(), x.args.end(), [&](const Value& arg) {
    return in.contains(members, arg);
  });
}

}  // namespace

void install_aliases(Interpreter& interp) {
  Types& t = interp.types;
  t.generic_alias =
      interp.define_class("GenericAlias", {}, Kind::Opaque, "types");
  t.union_type = interp.define_class("UnionType", {}, Kind::Opaque, "types");
  for (Class* cls : {t.generic_alias, t.union_type}) {
    cls->def_property("__args__", [](Interpreter& in, Args a) -> Value {
      return tuple(checked_alias(in, a[0]).args);
    });
    cls->def("__eq__(self, other)", [](Interpreter& in, Args a) -> Value {
      const GenericAlias* x = as_alias(in, a[0]);
      const GenericAlias* y = as_alias(in, a[1]);
      return Value::boolean(x && y && same_alias(in, *x, *y));
    });
    cls->def("__hash__(self)", [](Interpreter& in, Args a) -> Value {
      size_t sum = 0;  // the members of a union have no order
      for (const Value& arg : checked_alias(in, a[0]).args) {
        sum ^= in.hash(arg);
      }
      return Value::integer(static_cast<int64_t>(sum));
    });
    cls->def("__getitem__(self, item)", [](Interpreter& in, Args a) -> Value {
      return make_alias(in, checked_alias(in, a[0]).origin, a[1]);
    });
  }
  t.generic_alias->def_property(
      "__origin__", [](Interpreter& in, Args a) -> Value {
        return checked_alias(in, a[0]).origin;
      });
  t.generic_alias->def(
      "__mro_entries__(self, bases)", [](Interpreter& in, Args a) -> Value {
        return tuple({checked_alias(in, a[0]).origin});
      });
  t.generic_alias->def(
      "__call__(self, *args, **kwargs)", [](Interpreter& in, Args a) -> Value {
        return in.call(
            checked_alias(in, a[0]).origin, call_args(rest(a[1]), a[2]));
      });
}

}  // namespace portwright::eval

// getattr, isinstance, type, vars, dir and the like; refused builtins.

#include <set>

#include "eval/builtins/support.h"
#include "eval/state.h"

namespace portwright::eval {

namespace {

Symbol attribute_name(Interpreter& in, const Value& name) {
  if (!name.is_str()) {
    in.raise("TypeError", "attribute name must be string");
  }
  return name.get<Str>()->symbol();
}

/// A field that the config's class does not declare may be missing in the next
/// config: what was read remembers the default.
Value default_of_config(
    Interpreter& in,
    const Value& config,
    Symbol name,
    Value read,
    const Value& otherwise) {
  const bool scalar = !read.is_object() || read.is_str();
  if (!in.observer || !scalar || !config.is_object() ||
      !config.object()->is_config || config.object()->cls->lookup(name) ||
      name.str().starts_with("_")) {
    return read;
  }
  const std::string& path = in.state().config_paths[config.object()];
  return read.with(in.provenance(
      {.kind = Provenance::Kind::Default,
       .name = path.empty() ? name : Symbol(path + "." + name.str()),
       .left = in.provenance_of(otherwise)}));
}

Value get_attribute(Interpreter& in, Args a) {
  const Symbol name = attribute_name(in, a[1]);
  if (!a[2].defined()) {
    return in.getattr(a[0], name);
  }
  const Value v = in.try_getattr(a[0], name);
  return default_of_config(in, a[0], name, v.defined() ? v : a[2], a[2]);
}

Value is_instance(Interpreter& in, Args a) {
  return Value::boolean(in.isinstance(a[0], a[1]))
      .with(
          a[0].provenance() ? call_provenance(in, "isinstance", a[0], a[1])
                            : nullptr);
}

AttrMap to_attributes(Interpreter& in, const Value& ns) {
  AttrMap out;
  for (const Dict::Entry& e : as_dict(in, ns).entries()) {
    if (e.key.defined()) {
      out.set(Symbol(as_str(in, e.key).text), e.value);
    }
  }
  return out;
}

Value new_type(Interpreter& in, Args a) {
  if (!a[2].defined()) {
    return class_value(in.class_of(a[1]));
  }
  std::vector<std::pair<Symbol, Value>> keywords = call_args({}, a[4]).keywords;
  if (&as_class(in, a[0]) != in.types.type) {
    keywords.emplace_back(Symbol("metaclass"), a[0]);
  }
  return in.make_class(
      as_str(in, a[1]).text,
      in.to_vector(a[2]),
      to_attributes(in, a[3]),
      keywords);
}

Value directory(Interpreter& in, Args a) {
  if (!a[0].defined()) {
    in.refuse(
        diagnostics::Kind::UnsupportedFunction,
        "dir() without an argument is not evaluated");
  }
  std::set<std::string> names;
  const auto add = [&](const AttrMap& map) {
    for (const auto& [name, value] : map.entries()) {
      names.insert(name.str());
    }
  };
  if (a[0].is_object() && a[0].object()->attrs) {
    add(*a[0].object()->attrs);
  }
  const Class* cls =
      a[0].is(Kind::Class) ? a[0].get<Class>() : in.class_of(a[0]);
  for (const Class* c : cls->mro) {
    add(c->dict);
  }
  std::vector<Value> out;
  for (const std::string& name : names) {
    out.push_back(str(name));
  }
  return list(std::move(out));
}

Value identity(Interpreter&, Args a) {
  if (!a[0].is_object()) {
    return Value::integer(
        static_cast<int64_t>(a[0].tag()) * 16 +
        (a[0].is_number() ? a[0].as_int() * 256 : 0));
  }
  return Value::integer(
      static_cast<int64_t>(reinterpret_cast<uintptr_t>(a[0].object())));
}

void publish_types(Interpreter& interp) {
  const Types& t = interp.types;
  for (Class* cls : {t.object,         t.type,        t.bool_,
                     t.int_,           t.float_,      t.str,
                     t.bytes,          t.list,        t.tuple,
                     t.dict,           t.set,         t.frozenset,
                     t.slice,          t.range,       t.property,
                     t.staticmethod,   t.classmethod, t.super,
                     t.base_exception, t.exception}) {
    interp.builtins().set(cls->name, class_value(cls));
  }
}

void refuse_builtins(ModuleObject& b) {
  for (const char* name : {"open", "input"}) {
    refuse_function(b, name, "the evaluation touches no files or terminals");
  }
  for (const char* name : {"exec", "eval", "compile", "__import__"}) {
    refuse_function(b, name, "code made at run time is not evaluated");
  }
  for (const char* name :
       {"globals",
        "locals",
        "breakpoint",
        "exit",
        "quit",
        "help",
        "memoryview",
        "bytearray",
        "complex",
        "aiter",
        "anext"}) {
    refuse_function(b, name, "Portwright does not implement this builtin");
  }
}

}  // namespace

void install_reflection(Interpreter& interp) {
  ModuleObject& b = interp.builtins();
  b.def("getattr(obj, name, default=..., /)", get_attribute);
  b.def("hasattr(obj, name, /)", [](Interpreter& in, Args a) -> Value {
    return Value::boolean(
        in.try_getattr(a[0], attribute_name(in, a[1])).defined());
  });
  b.def("setattr(obj, name, value, /)", [](Interpreter& in, Args a) -> Value {
    in.setattr(a[0], attribute_name(in, a[1]), a[2]);
    return Value::none();
  });
  b.def("delattr(obj, name, /)", [](Interpreter& in, Args a) -> Value {
    in.delattr(a[0], attribute_name(in, a[1]));
    return Value::none();
  });
  b.def("isinstance(obj, classinfo, /)", is_instance);
  b.def("issubclass(cls, classinfo, /)", [](Interpreter& in, Args a) -> Value {
    if (!a[0].is(Kind::Class)) {
      in.raise("TypeError", "issubclass() arg 1 must be a class");
    }
    return Value::boolean(in.issubclass(a[0].get<Class>(), a[1]));
  });
  b.def("callable(obj, /)", [](Interpreter& in, Args a) -> Value {
    return Value::boolean(in.callable(a[0]));
  });
  b.def("id(obj, /)", identity);
  b.def("hash(obj, /)", [](Interpreter& in, Args a) -> Value {
    return Value::integer(static_cast<int64_t>(in.hash(a[0])));
  });
  for (const char* name : {"repr(obj, /)", "ascii(obj, /)"}) {
    b.def(name, [](Interpreter& in, Args a) -> Value {
      return str(in.repr(a[0]));
    });
  }
  b.def("format(value, spec='', /)", [](Interpreter& in, Args a) -> Value {
    return str(in.format(a[0], as_str(in, a[1]).text));
  });
  // Printing has no effect on values.
  b.def("print(*args, **kwargs)", [](Interpreter&, Args) -> Value {
    return Value::none();
  });
  b.def("vars(obj=..., /)", [](Interpreter& in, Args a) -> Value {
    if (!a[0].defined()) {
      in.refuse(
          diagnostics::Kind::UnsupportedFunction,
          "vars() without an argument is not evaluated");
    }
    return in.getattr(a[0], "__dict__");
  });
  b.def("dir(obj=..., /)", directory);
  b.set("NotImplemented", Value::not_implemented());
  b.set("Ellipsis", Value::ellipsis());
  b.set("__debug__", Value::boolean(true));
  interp.types.type->def_static(
      "__new__(cls, name, bases=..., namespace=..., **kwargs)", new_type);
  interp.types.type->def(
      "__init__(cls, *args, **kwargs)",
      [](Interpreter&, Args) -> Value { return Value::none(); });
  publish_types(interp);
  refuse_builtins(b);
}

}  // namespace portwright::eval

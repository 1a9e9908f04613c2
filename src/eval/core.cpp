#include "eval/code.h"
#include "eval/frame.h"
#include "eval/state.h"

namespace portwright::eval {

namespace {

Symbol symbol_argument(Interpreter& interp, const Value& name) {
  if (!name.is_str()) {
    interp.raise("TypeError", "attribute name must be string");
  }
  return name.get<Str>()->symbol();
}

void install_object(Interpreter& interp) {
  Class* object = interp.types.object;
  object->def(
      "__getattribute__(self, name)",
      [](Interpreter& interp, std::span<Value> a) {
        return interp.generic_getattr(a[0], symbol_argument(interp, a[1]));
      });
  object->def(
      "__setattr__(self, name, value)",
      [](Interpreter& interp, std::span<Value> a) {
        interp.generic_setattr(a[0], symbol_argument(interp, a[1]), a[2]);
        return Value::none();
      });
  object->def(
      "__delattr__(self, name)", [](Interpreter& interp, std::span<Value> a) {
        generic_delattr(interp, a[0], symbol_argument(interp, a[1]));
        return Value::none();
      });
  object->def(
      "__init__(self, *args, **kwargs)",
      [](Interpreter& interp, std::span<Value> a) {
        // As CPython: surplus arguments are an error unless __new__ took them.
        Class* cls = interp.class_of(a[0]);
        const bool surplus =
            !a[1].get<Tuple>()->items.empty() || a[2].get<Dict>()->size() > 0;
        const Value* init = cls->lookup(names().init);
        const Value* object_init = interp.types.object->dict.find(names().init);
        if (surplus && init && init->same(*object_init) &&
            !cls->lookup(names().new_)) {
          interp.raise("TypeError", cls->name + "() takes no arguments");
        }
        return Value::none();
      });
  object->def_class(
      "__init_subclass__(cls, **kwargs)",
      [](Interpreter&, std::span<Value>) { return Value::none(); });
}

void install_type(Interpreter& interp) {
  Class* type = interp.types.type;
  type->def("mro(self)", [](Interpreter&, std::span<Value> a) {
    std::vector<Value> out;
    for (Class* c : a[0].get<Class>()->mro) {
      out.emplace_back(static_cast<Object*>(c));
    }
    return list(std::move(out));
  });
  type->def(
      "__subclasses__(self)", [](Interpreter& interp, std::span<Value> a) {
        std::vector<Value> out;
        for (const auto& c : interp.state().classes) {
          const auto& bases = c->bases;
          if (std::find(bases.begin(), bases.end(), a[0].get<Class>()) !=
              bases.end()) {
            out.emplace_back(c);
          }
        }
        return list(std::move(out));
      });
}

void install_super(Interpreter& interp) {
  interp.types.super->def_static(
      "__new__(cls, type=..., object=...)",
      [](Interpreter& interp, std::span<Value> a) {
        if (!a[1].is(Kind::Class) || !a[2].defined()) {
          interp.refuse(
              diagnostics::Kind::UnsupportedOperation,
              "super() is only understood inside a method, or with a class "
              "and an object");
        }
        Class* start =
            a[2].is(Kind::Class) &&
                    a[2].get<Class>()->is_subclass_of(a[1].get<Class>())
                ? a[2].get<Class>()
                : interp.class_of(a[2]);
        return Value(make<SuperObject>(a[1].get<Class>(), a[2], start));
      });
}

void install_functions(Interpreter& interp) {
  interp.types.function->def(
      "__get__(self, instance, owner=None)",
      [](Interpreter&, std::span<Value> a) {
        return a[1].is_none() ? a[0] : Value(make<BoundMethod>(a[1], a[0]));
      });
  interp.types.function->def(
      "__call__(self, *args, **kwargs)",
      [](Interpreter& interp, std::span<Value> a) {
        CallArgs args{a[1].get<Tuple>()->items, {}};
        for (const auto& e : a[2].get<Dict>()->entries()) {
          args.keywords.emplace_back(e.key.get<Str>()->symbol(), e.value);
        }
        return interp.call(a[0], std::move(args));
      });
  // The two halves of a generator-based context manager belong to `with`.
  Class* manager = interp.define_class(
      "_GeneratorContextManager", {}, Kind::Instance, "contextlib");
  manager->def(
      "__init__(self, func, args, kwargs)",
      [](Interpreter& interp, std::span<Value> a) {
        interp.generic_setattr(a[0], Symbol("func"), a[1]);
        interp.generic_setattr(a[0], Symbol("args"), a[2]);
        interp.generic_setattr(a[0], Symbol("kwargs"), a[3]);
        return Value::none();
      });
  interp.state().generator_manager = manager;
  interp.builtins().set(
      "_GeneratorContextManager", Value(static_cast<Object*>(manager)));
  interp.register_native_module(
      "__future__", [](Interpreter&, ModuleObject& m) {
        for (auto name :
             {"annotations",
              "division",
              "absolute_import",
              "print_function",
              "unicode_literals"}) {
          m.set(name, Value::none());
        }
      });
}

}  // namespace

void install_core(Interpreter& interp) {
  install_object(interp);
  install_type(interp);
  install_super(interp);
  install_functions(interp);
}

namespace {

Value code_object(Interpreter& interp, const Function& function) {
  auto code = make<Instance>(interp.types.object);
  code->attrs = new AttrMap;
  std::vector<Value> varnames;
  int64_t positional = 0;
  for (const auto& p : function.code->signature.params) {
    varnames.push_back(str(p.name.str()));
    positional += p.kind == Signature::ParamKind::Normal ||
                  p.kind == Signature::ParamKind::PositionalOnly;
  }
  function.code->complete();
  for (size_t i = varnames.size(); i < function.code->slot_names.size(); ++i) {
    varnames.push_back(str(function.code->slot_names[i].str()));
  }
  code->attrs->set(Symbol("co_varnames"), tuple(std::move(varnames)));
  code->attrs->set(Symbol("co_argcount"), Value::integer(positional));
  code->attrs->set(Symbol("co_name"), str(function.name));
  return Value(code);
}

}  // namespace

Value function_attribute(Interpreter& interp, Function& function, Symbol name) {
  const Names& n = names();
  if (name == n.code) {
    return code_object(interp, function);
  }
  if (name == n.globals) {
    return interp.getattr(Value(function.globals), n.dict);
  }
  if (name == n.defaults) {
    std::vector<Value> out;
    for (size_t i = 0; i < function.defaults.size(); ++i) {
      if (function.code->signature.params[i].kind !=
              Signature::ParamKind::KeywordOnly &&
          function.defaults[i].defined()) {
        out.push_back(function.defaults[i]);
      }
    }
    return out.empty() ? Value::none() : tuple(std::move(out));
  }
  if (name == n.annotations) {
    auto out = dict();
    if (function.code->syntax) {
      const auto& def = syntax::as<syntax::FunctionDef>(*function.code->syntax);
      auto add = [&](const syntax::Arg* arg) {
        if (arg && arg->annotation) {
          out->set(
              arg->name.str(), str(std::string(arg->annotation->span.text())));
        }
      };
      for (const auto* arg : def.args->posonlyargs) {
        add(arg);
      }
      for (const auto* arg : def.args->args) {
        add(arg);
      }
      add(def.args->vararg);
      for (const auto* arg : def.args->kwonlyargs) {
        add(arg);
      }
      add(def.args->kwarg);
      if (def.returns) {
        out->set("return", str(std::string(def.returns->span.text())));
      }
    }
    return Value(out);
  }
  return {};
}

bool set_function_attribute(
    const Value& function,
    Symbol name,
    const Value& value) {
  auto* f = function.get<Function>();
  if (name == names().name && value.is_str()) {
    f->name = value.str();
    return true;
  }
  if (name == names().qualname && value.is_str()) {
    f->qualname = value.str();
    return true;
  }
  return false;
}

}  // namespace portwright::eval

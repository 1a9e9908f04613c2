// The module `_portwright`: what our Python texts need and Python cannot say.

#include "eval/builtins/support.h"
#include "eval/code.h"
#include "eval/generic_alias.h"
#include "eval/state.h"
#include "eval/stdlib/modules.h"

namespace portwright::eval {

namespace {

// [(name, kind, default)], kind as inspect numbers it, `missing` without one;
// None for what has no signature of its own.
Value parameters(Interpreter& in, Args a) {
  const Signature* signature = nullptr;
  const std::vector<Value>* defaults = nullptr;
  if (a[0].is(Kind::Function)) {
    signature = &a[0].get<Function>()->code->signature;
    defaults = &a[0].get<Function>()->defaults;
  } else if (a[0].is(Kind::Native)) {
    signature = &a[0].get<Native>()->signature;
  } else {
    return Value::none();
  }
  (void)in;
  std::vector<Value> out;
  for (size_t i = 0; i < signature->params.size(); ++i) {
    const Signature::Param& p = signature->params[i];
    Value fallback = a[1];
    if (defaults && i < defaults->size() && (*defaults)[i].defined()) {
      fallback = (*defaults)[i];
    } else if (p.optional) {
      fallback = p.default_value.defined() ? p.default_value : Value::none();
    }
    out.push_back(tuple(
        {str(p.name.str()),
         Value::integer(static_cast<int64_t>(p.kind)),
         fallback}));
  }
  return list(std::move(out));
}

struct InitField {
  Symbol name;
  Value fallback;  // Undefined: required
  Value factory;   // Undefined: none
  bool keyword_only, in_init, init_only;
};

struct InitPlan {
  std::vector<InitField> fields;
  bool frozen = false;
  bool post_init = false;
};

void run_init(Interpreter& in, const InitPlan& plan, Args a) {
  const Value self = a[0];
  std::vector<Value> init_only;
  size_t next = 1;
  for (const InitField& f : plan.fields) {
    Value v = f.in_init ? a[next++] : f.fallback;
    if (!v.defined() && f.factory.defined()) {
      v = in.call(f.factory);
    }
    if (f.init_only) {
      init_only.push_back(v);
    } else if (v.defined()) {
      if (plan.frozen) {
        in.generic_setattr(self, f.name, v);
      } else {
        in.setattr(self, f.name, v);
      }
    }
  }
  if (plan.post_init) {
    in.call_method(self, "__post_init__", std::move(init_only));
  }
}

// make_init(name, fields, missing, frozen, post_init): a dataclass's __init__.
Value make_init(Interpreter& in, Args a) {
  static const Symbol name("name"), fallback("default"),
      factory("default_factory"), keyword_only("kw_only"), init("init"),
      init_only("_init_only");
  auto plan = std::make_shared<InitPlan>();
  plan->frozen = in.truthy(a[3]);
  plan->post_init = in.truthy(a[4]);
  const Value missing = a[2];
  const auto unless_missing = [&](const Value& v) {
    return v.is_object() && v.object() == missing.object() ? Value() : v;
  };
  Signature signature;
  signature.params.push_back(
      {Symbol("self"), Signature::ParamKind::Normal, {}});
  bool seen_default = false;
  for (const Value& f : in.to_vector(a[1])) {
    const auto is = [&](Symbol what) { return in.truthy(in.getattr(f, what)); };
    InitField field{
        as_str(in, in.getattr(f, name)).symbol(),
        unless_missing(in.getattr(f, fallback)),
        unless_missing(in.getattr(f, factory)),
        is(keyword_only),
        is(init),
        is(init_only)};
    if (field.in_init && !field.keyword_only) {
      const bool optional = field.fallback.defined() || field.factory.defined();
      if (seen_default && !optional) {
        in.raise(
            "TypeError",
            "non-default argument '" + field.name.str() +
                "' follows default argument");
      }
      seen_default = seen_default || optional;
    }
    plan->fields.push_back(std::move(field));
  }
  // Keyword-only parameters come last in the signature and in the fields.
  std::stable_sort(
      plan->fields.begin(),
      plan->fields.end(),
      [](const auto& x, const auto& y) {
        return x.keyword_only < y.keyword_only;
      });
  for (const InitField& f : plan->fields) {
    if (f.in_init) {
      Signature::Param p{
          f.name,
          f.keyword_only ? Signature::ParamKind::KeywordOnly
                         : Signature::ParamKind::Normal,
          f.fallback};
      p.optional = f.fallback.defined() || f.factory.defined();
      signature.params.push_back(std::move(p));
    }
  }
  return Value(make<Native>(
      as_str(in, a[0]).text + ".__init__",
      std::move(signature),
      [plan](Interpreter& interp, Args args) {
        run_init(interp, *plan, args);
        return Value::none();
      }));
}

void define_module_access(ModuleObject& m) {
  m.def("import_module(name)", [](Interpreter& in, Args a) -> Value {
    return Value(in.import_module(as_str(in, a[0]).text));
  });
  m.def("can_import(name)", [](Interpreter& in, Args a) -> Value {
    return Value::boolean(in.can_import(as_str(in, a[0]).text));
  });
  m.def("is_imported(name)", [](Interpreter& in, Args a) -> Value {
    return Value::boolean(in.state().modules.contains(as_str(in, a[0]).text));
  });
}

void define_types(Interpreter& interp, ModuleObject& m) {
  const Types& t = interp.types;
  const std::pair<const char*, Class*> names[] = {
      {"FunctionType", t.function},
      {"BuiltinFunctionType", t.builtin_function},
      {"MethodType", t.method},
      {"ModuleType", t.module},
      {"NoneType", t.none_type},
      {"EllipsisType", t.ellipsis},
      {"NotImplementedType", t.not_implemented},
      {"GeneratorType", t.iterator},
      {"CellType", t.cell},
      {"GenericAlias", t.generic_alias},
      {"UnionType", t.union_type},
      {"dict_keys", t.dict_keys},
      {"dict_values", t.dict_values},
      {"dict_items", t.dict_items}};
  for (const auto& [name, cls] : names) {
    m.set(name, class_value(cls));
  }
  t.method->def_static(
      "__new__(cls, function, self)", [](Interpreter&, Args a) -> Value {
        return Value(make<BoundMethod>(a[2], a[1]));
      });
  t.module->def_static(
      "__new__(cls, name, doc=None)", [](Interpreter& in, Args a) -> Value {
        return Value(make<ModuleObject>(as_str(in, a[1]).text, "<module>"));
      });
  t.generic_alias->def_static(
      "__new__(cls, origin, args)", [](Interpreter& in, Args a) -> Value {
        return make_alias(in, a[1], a[2]);
      });
}

}  // namespace

void define_support(Interpreter& interp, ModuleObject& m) {
  m.def("parameters(function, missing)", parameters);
  m.def("make_init(name, fields, missing, frozen, post_init)", make_init);
  m.def("new_instance(cls)", [](Interpreter& in, Args a) -> Value {
    return Value(make<Instance>(&as_class(in, a[0])));
  });
  m.def("new_class(name, bases, namespace)", [](Interpreter& in, Args a) {
    AttrMap ns;
    for (const Dict::Entry& e : as_dict(in, a[2]).entries()) {
      if (e.key.defined()) {
        ns.set(Symbol(as_str(in, e.key).text), e.value);
      }
    }
    return in.make_class(as_str(in, a[0]).text, in.to_vector(a[1]), ns);
  });
  m.def("refuse(message)", [](Interpreter& in, Args a) -> Value {
    in.refuse(diagnostics::Kind::UnsupportedFunction, as_str(in, a[0]).text);
  });
  m.def("refuse_decorator(message)", [](Interpreter& in, Args a) -> Value {
    in.refuse(diagnostics::Kind::UnsupportedDecorator, as_str(in, a[0]).text);
  });
  define_module_access(m);
  define_types(interp, m);
}

}  // namespace portwright::eval

#include <unordered_set>

#include "torch/install.h"
#include "torch/tensor.h"

namespace portwright::torch {

using eval::Class;
using eval::Dict;
using eval::Interpreter;
using eval::Ref;
using eval::Symbol;
using eval::Value;

namespace {

using Args = std::span<Value>;

/// The names every access looks up.
struct Keys {
  Symbol parameters{"_parameters"}, buffers{"_buffers"}, modules{"_modules"},
      transient{"_non_persistent_buffers_set"}, training{"training"},
      forward{"forward"}, pre_hooks{"_forward_pre_hooks"},
      hooks{"_forward_hooks"};
};

const Keys& keys() {
  static const Keys all;
  return all;
}

Dict* dict_of(const Value& self, Symbol name) {
  if (!self.object()->attrs) {
    return nullptr;
  }
  const Value* v = self.object()->attrs->find(name);
  return v && v->is(eval::Kind::Dict) ? v->get<Dict>() : nullptr;
}

Value init(Interpreter&, Args a) {
  eval::Object* self = a[0].object();
  if (!self->attrs) {
    self->attrs = new eval::AttrMap;
  }
  self->attrs->set(keys().training, Value::boolean(false));
  for (Symbol name : {keys().parameters, keys().buffers, keys().modules}) {
    self->attrs->set(name, Value(eval::dict()));
  }
  self->attrs->set(keys().transient, Value(eval::make<eval::Set>()));
  return Value::none();
}

/// Takes `name` out of everywhere but `keep`.
void forget(const Value& self, const std::string& name, Symbol keep) {
  self.object()->attrs->erase(Symbol(name));
  for (Symbol where : {keys().parameters, keys().buffers, keys().modules}) {
    if (where == keep) {
      continue;
    }
    if (Dict* d = dict_of(self, where); d && d->find(name)) {
      // Erasing needs an interpreter for the key's hash: rebuild instead.
      auto rest = d->entries();
      d->remove_all();
      for (auto& entry : rest) {
        if (entry.key.defined() && entry.key.str() != name) {
          d->set(entry.key.str(), entry.value);
        }
      }
    }
  }
}

void put(
    Interpreter& interp,
    const Value& self,
    Symbol where,
    const std::string& name,
    const Value& value) {
  Dict* d = dict_of(self, where);
  if (!d) {
    interp.raise(
        "AttributeError",
        "cannot assign " + name + " before Module.__init__() call");
  }
  forget(self, name, where);
  d->set(name, value);
}

bool is_module(const Value& value, const Class* base) {
  return value.is_object() && value.object()->kind == eval::Kind::Instance &&
         value.object()->cls->is_subclass_of(base);
}

Value set_attribute(Interpreter& interp, Args a, const Class* base) {
  const std::string& name = a[1].str();
  const Value& value = a[2];
  if (const Tensor* t = as_tensor(value)) {
    if (t->is_parameter) {
      put(interp, a[0], keys().parameters, name, value);
      return Value::none();
    }
    Dict* buffers = dict_of(a[0], keys().buffers);
    if (buffers && (t->is_buffer || buffers->find(name))) {
      put(interp, a[0], keys().buffers, name, value);
      if (t->is_buffer && !t->persistent) {
        a[0].object()
            ->attrs->find(keys().transient)
            ->get<eval::Set>()
            ->items->set(name, Value::none());
      }
      return Value::none();
    }
    Dict* parameters = dict_of(a[0], keys().parameters);
    if (parameters && parameters->find(name)) {
      interp.raise(
          "TypeError",
          "cannot assign 'torch.FloatTensor' as parameter '" + name +
              "' (torch.nn.Parameter or None expected)");
    }
  } else if (is_module(value, base)) {
    put(interp, a[0], keys().modules, name, value);
    return Value::none();
  } else if (value.is_none()) {
    for (Symbol where : {keys().parameters, keys().buffers, keys().modules}) {
      if (Dict* d = dict_of(a[0], where); d && d->find(name)) {
        d->set(name, value);
        return Value::none();
      }
    }
  }
  interp.generic_setattr(a[0], Symbol(name), value);
  return Value::none();
}

Value get_attribute(Interpreter&, Args a) {
  const std::string& name = a[1].str();
  for (Symbol where : {keys().modules, keys().parameters, keys().buffers}) {
    if (Dict* d = dict_of(a[0], where)) {
      if (const Value* found = d->find(name)) {
        return *found;
      }
    }
  }
  return {};  // the evaluator says so
}

Value delete_attribute(Interpreter& interp, Args a) {
  const std::string& name = a[1].str();
  for (Symbol where : {keys().modules, keys().parameters, keys().buffers}) {
    if (Dict* d = dict_of(a[0], where)) {
      if (d->find(name)) {
        d->erase(interp, a[1]);
        return Value::none();
      }
    }
  }
  if (!a[0].object()->attrs->erase(Symbol(name))) {
    interp.raise("AttributeError", name);
  }
  return Value::none();
}

/// Counts running forwards, for what is only allowed outside of them.
struct Forward {
  explicit Forward(State& state) : state(state) {
    ++state.forward_depth;
  }
  ~Forward() {
    --state.forward_depth;
  }
  State& state;
};

Value call_module(Interpreter& interp, Args a, State& state) {
  Forward running(state);
  const Value self = a[0];
  eval::CallArgs args;
  args.positional = a[1].get<eval::Tuple>()->items;
  for (const auto& entry : a[2].get<Dict>()->entries()) {
    if (entry.key.defined()) {
      args.keywords.emplace_back(
          entry.key.get<eval::Str>()->symbol(), entry.value);
    }
  }
  const auto any = [&](Symbol name) {
    const eval::AttrMap* attrs = self.object()->attrs;
    const Value* hooks = attrs ? attrs->find(name) : nullptr;
    return hooks && interp.truthy(*hooks);
  };
  const bool hooked = any(keys().pre_hooks) || any(keys().hooks);
  if (hooked) {
    return interp.call(
        interp.getattr(self, "_call_with_hooks"), std::move(args));
  }
  return interp.call(interp.getattr(self, keys().forward), std::move(args));
}

Value register_parameter(Interpreter& interp, Args a) {
  put(interp, a[0], keys().parameters, a[1].str(), a[2]);
  return Value::none();
}

Value register_buffer(Interpreter& interp, Args a) {
  const std::string& name = a[1].str();
  put(interp, a[0], keys().buffers, name, a[2]);
  eval::Set* transient =
      a[0].object()->attrs->find(keys().transient)->get<eval::Set>();
  if (interp.truthy(a[3])) {
    transient->items->erase(interp, a[1]);
  } else {
    transient->items->set(name, Value::none());
  }
  return Value::none();
}

std::string below(const std::string& path, const std::string& name) {
  return path.empty() ? name : path + "." + name;
}

Value add_module(Interpreter& interp, Args a) {
  put(interp, a[0], keys().modules, a[1].str(), a[2]);
  return Value::none();
}

/// Every module below `root`, itself first, with its path; one that is reached
/// twice only once if `unique`.
std::vector<std::pair<std::string, Value>>
all_modules(const Value& root, std::string prefix, bool unique) {
  std::vector<std::pair<std::string, Value>> out;
  std::vector<std::pair<std::string, Value>> waiting{{std::move(prefix), root}};
  std::unordered_set<const eval::Object*> seen;
  while (!waiting.empty()) {
    auto next = std::move(waiting.back());
    waiting.pop_back();
    if (unique && !seen.insert(next.second.object()).second) {
      continue;
    }
    if (const Dict* inner = dict_of(next.second, keys().modules)) {
      const auto& entries = inner->entries();
      for (auto e = entries.rbegin(); e != entries.rend(); ++e) {
        if (e->key.defined() && e->value.is_object()) {
          waiting.emplace_back(below(next.first, e->key.str()), e->value);
        }
      }
    }
    out.push_back(std::move(next));
  }
  return out;
}

Value pair(std::string path, const Value& value) {
  return eval::tuple({eval::str(std::move(path)), value});
}

Value list_modules(Interpreter& interp, Args a) {
  std::vector<Value> out;
  for (auto& [path, module] :
       all_modules(a[0], a[1].str(), interp.truthy(a[2]))) {
    out.push_back(pair(std::move(path), module));
  }
  return eval::list(std::move(out));
}

/// Of a kind: `_parameters` or `_buffers`.
Value list_members(Interpreter& interp, Args a) {
  const Symbol kind(a[1].str());
  const bool recurse = interp.truthy(a[3]);
  const bool unique = interp.truthy(a[4]);
  std::vector<std::pair<std::string, Value>> modules{{a[2].str(), a[0]}};
  if (recurse) {
    modules = all_modules(a[0], a[2].str(), unique);
  }
  std::vector<Value> out;
  std::unordered_set<const eval::Object*> seen;
  for (const auto& [path, module] : modules) {
    const Dict* members = dict_of(module, kind);
    if (!members) {
      continue;
    }
    for (const auto& e : members->entries()) {
      if (e.key.defined() && e.value.is_object() &&
          (seen.insert(e.value.object()).second || !unique)) {
        out.push_back(pair(below(path, e.key.str()), e.value));
      }
    }
  }
  return eval::list(std::move(out));
}

}  // namespace

void install_module_base(Interpreter& interp, eval::ModuleObject& into) {
  State& state = state_of(interp);
  Class* cls = interp.define_class(
      "ModuleBase", {}, eval::Kind::Instance, "torch.nn.modules.module");
  cls->def("__init__(self, *args, **kwargs)", init);
  cls->def("__setattr__(self, name, value)", [cls](Interpreter& i, Args a) {
    return set_attribute(i, a, cls);
  });
  cls->def("__getattr__(self, name)", get_attribute);
  cls->def("__delattr__(self, name)", delete_attribute);
  cls->def("__call__(self, *args, **kwargs)", [&state](Interpreter& i, Args a) {
    return call_module(i, a, state);
  });
  cls->def("register_parameter(self, name, param)", register_parameter);
  cls->def(
      "register_buffer(self, name, tensor, persistent=True)", register_buffer);
  cls->def("add_module(self, name, module)", add_module);
  cls->def("register_module(self, name, module)", add_module);
  cls->def("_list_modules(self, prefix, unique)", list_modules);
  cls->def("_list_members(self, kind, prefix, recurse, unique)", list_members);
  into.set("ModuleBase", Value(static_cast<eval::Object*>(cls)));
}

}  // namespace portwright::torch

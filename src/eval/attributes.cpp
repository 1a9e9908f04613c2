#include "eval/code.h"
#include "eval/frame.h"
#include "eval/state.h"

namespace portwright::eval {

namespace {

bool is_builtin_class(const Class* cls) {
  return cls->module == "builtins";
}

/// A class attribute seen through an instance (or its class when `self` is
/// undefined): functions bind, descriptors answer.
Value bind_attribute(
    Interpreter& interp,
    const Value& attribute,
    const Value& self,
    Class* owner) {
  if (!attribute.is_object()) {
    return attribute;
  }
  switch (attribute.object()->kind) {
    case Kind::Function:
    case Kind::Native:
      return self.defined() ? Value(make<BoundMethod>(self, attribute))
                            : attribute;
    case Kind::StaticMethod:
      return attribute.get<MethodWrapper>()->function;
    case Kind::ClassMethod:
      return Value(make<BoundMethod>(
          Value(static_cast<Object*>(owner)),
          attribute.get<MethodWrapper>()->function));
    case Kind::Property:
      if (attribute.object()->cls == interp.types.property) {
        if (!self.defined()) {
          return attribute;
        }
        return interp.call(attribute.get<Property>()->getter, {self});
      }
      [[fallthrough]];
    case Kind::Instance:
      if (const Value* get = attribute.object()->cls->hook(Hook::Get)) {
        return interp.call(
            *get,
            {attribute,
             self.defined() ? self : Value::none(),
             Value(static_cast<Object*>(owner))});
      }
      return attribute;
    case Kind::Lazy:
      return resolve_lazy(interp, attribute);
    default:
      return attribute;
  }
}

bool is_data_descriptor(const Value& attribute) {
  if (attribute.is(Kind::Property)) {
    return true;
  }
  return attribute.is(Kind::Instance) &&
         attribute.object()->cls->hook(Hook::Set);
}

Value module_getattr(Interpreter& interp, ModuleObject& module, Symbol name) {
  if (const Value* v = module.attrs->find(name)) {
    if (v->is(Kind::Lazy)) {
      Value resolved = resolve_lazy(interp, *v);
      module.attrs->set(name, resolved);
      return resolved;
    }
    return *v;
  }
  if (module.getattr) {
    if (Value v = module.getattr(interp, name); v.defined()) {
      return v;
    }
  }
  if (name == names().dict) {
    auto out = dict();
    for (const auto& [key, value] : module.attrs->entries()) {
      out->set(key.str(), value);
    }
    return Value(out);
  }
  const std::string submodule = module.name + "." + name.str();
  if (interp.can_import(submodule)) {
    return Value(interp.import_module(submodule));
  }
  if (const Value* hook = module.attrs->find(names().getattr)) {
    return interp.call(*hook, {str(name)});
  }
  return {};
}

Value class_getattr(Interpreter& interp, Class* cls, Symbol name) {
  const Names& n = names();
  if (cls->metaclass) {
    if (const Value* v = cls->metaclass->lookup(name);
        v && v->is(Kind::Property)) {
      return interp.call(
          v->get<Property>()->getter, {Value(static_cast<Object*>(cls))});
    }
  }
  if (const Value* v = cls->lookup(name)) {
    return bind_attribute(interp, *v, {}, cls);
  }
  if (name == n.name) {
    return str(cls->name);
  }
  if (name == n.qualname) {
    return str(cls->qualname);
  }
  if (name == n.module) {
    return str(cls->module);
  }
  if (name == n.doc) {
    return Value::none();
  }
  if (name == n.mro || name == n.bases) {
    std::vector<Value> out;
    for (Class* c : name == n.mro ? cls->mro : cls->bases) {
      out.emplace_back(static_cast<Object*>(c));
    }
    return tuple(std::move(out));
  }
  if (name == n.dict) {
    return Value(Dict::of(cls));
  }
  if (name == n.class_) {
    return Value(static_cast<Object*>(
        cls->metaclass ? cls->metaclass : interp.types.type));
  }
  // What type's own methods answer: mro(), __subclasses__, metaclass methods.
  Class* meta = cls->metaclass ? cls->metaclass : interp.types.type;
  if (const Value* v = meta->lookup(name)) {
    return bind_attribute(interp, *v, Value(static_cast<Object*>(cls)), meta);
  }
  return {};
}

Value super_getattr(Interpreter& interp, SuperObject& super, Symbol name) {
  const Value* v = lookup_after(*super.start, super.after, name);
  if (!v) {
    return {};
  }
  const bool on_class =
      super.self.is(Kind::Class) && super.self.get<Class>() == super.start;
  return bind_attribute(
      interp,
      *v,
      on_class && !v->is(Kind::ClassMethod) ? Value() : super.self,
      super.start);
}

/// The string that a function begins with; None where it does not.
Value docstring(const Function& function) {
  const syntax::Stmt* def = function.code->syntax;
  if (!def) {
    return Value::none();
  }
  const auto& body = syntax::as<syntax::FunctionDef>(*def).body;
  if (body.empty() || body.front()->kind != syntax::StmtKind::Expr) {
    return Value::none();
  }
  const syntax::Expr& first =
      *syntax::as<syntax::ExprStmt>(*body.front()).value;
  if (first.kind != syntax::ExprKind::Constant) {
    return Value::none();
  }
  const auto& text = syntax::as<syntax::Constant>(first);
  return text.value_kind == syntax::ConstantKind::Str
             ? str(std::string(text.text))
             : Value::none();
}

Value function_getattr(Interpreter& interp, const Value& object, Symbol name) {
  const Names& n = names();
  Object* o = object.object();
  if (o->attrs) {
    if (const Value* v = o->attrs->find(name)) {
      return *v;
    }
  }
  if (o->kind == Kind::BoundMethod) {
    auto* method = object.get<BoundMethod>();
    if (name == n.self) {
      return method->self;
    }
    if (name == n.func) {
      return method->function;
    }
    return interp.try_getattr(method->function, name);
  }
  const bool interpreted = o->kind == Kind::Function;
  if (name == n.name || name == n.qualname) {
    if (interpreted) {
      auto* f = object.get<Function>();
      return str(name == n.name ? f->name : f->qualname);
    }
    const std::string& full = object.get<Native>()->name;
    return str(full.substr(full.rfind('.') + 1));
  }
  if (name == n.doc) {
    return interpreted ? docstring(*object.get<Function>()) : Value::none();
  }
  if (name == n.module) {
    return interpreted ? str(object.get<Function>()->globals->name)
                       : str("builtins");
  }
  if (name == n.dict) {
    auto out = dict();
    if (o->attrs) {
      for (const auto& [key, value] : o->attrs->entries()) {
        out->set(key.str(), value);
      }
    }
    return Value(out);
  }
  if (interpreted) {
    return function_attribute(interp, *object.get<Function>(), name);
  }
  return {};
}

std::string joined(const std::string& path, Symbol name) {
  return path.empty() ? name.str() : path + "." + name.str();
}

/// The field of a config, or of one of several.
const Provenance* config_field(
    Interpreter& interp,
    const Value& config,
    const std::string& path) {
  const auto& indices = interp.state().config_indices;
  const auto index = indices.find(config.object());
  return interp.provenance(
      {.kind = Provenance::Kind::Config,
       .name = Symbol(path),
       .left = index == indices.end() ? nullptr : index->second});
}

/// Config fields say where they came from.
Value from_config(
    Interpreter& interp,
    const Value& object,
    Symbol name,
    const Value& value) {
  if (!interp.track_provenance || name.str().starts_with("_")) {
    return value;
  }
  const std::string path =
      joined(interp.state().config_paths[object.object()], name);
  if (value.is(Kind::Instance)) {
    if (value.object()->cls->is_subclass_of(object.object()->cls->mro.back()) &&
        !value.object()->is_config &&
        interp.try_getattr(value, Symbol("model_type")).defined()) {
      interp.mark_config(value, path);
      return value;
    }
    static const Symbol getitem("__getitem__");
    return value.object()->cls->lookup(getitem)
               ? value.with(config_field(interp, object, path))
               : value;
  }
  const bool carries = !value.is_object() || value.is_str() ||
                       value.is(Kind::List) || value.is(Kind::Tuple) ||
                       value.is(Kind::Dict);
  // A property's value says what it was computed from.
  const bool computed = value.provenance() && object.object()->attrs &&
                        !object.object()->attrs->find(name);
  // What a model gave a copy of its config is the field that it took it from.
  const bool given = value.provenance() &&
                     value.provenance()->kind == Provenance::Kind::Config;
  if (!carries || computed || given) {
    return value;
  }
  return value.with(config_field(interp, object, path));
}

}  // namespace

Value Interpreter::generic_getattr(const Value& object, Symbol name) {
  if (object.is_object()) {
    switch (object.object()->kind) {
      case Kind::Module:
        return module_getattr(*this, *object.get<ModuleObject>(), name);
      case Kind::Class:
        return class_getattr(*this, object.get<Class>(), name);
      case Kind::Super:
        return super_getattr(*this, *object.get<SuperObject>(), name);
      case Kind::Function:
      case Kind::Native:
      case Kind::BoundMethod:
        if (Value v = function_getattr(*this, object, name); v.defined()) {
          return v;
        }
        break;
      case Kind::Lazy:
        return try_getattr(resolve_lazy(*this, object), name);
      default:
        break;
    }
  }
  Class* cls = class_of(object);
  const Value* from_class = cls->lookup(name);
  if (from_class && is_data_descriptor(*from_class)) {
    Value v = bind_attribute(*this, *from_class, object, cls);
    return object.is_object() && object.object()->is_config
               ? from_config(*this, object, name, v)
               : v;
  }
  if (object.is_object() && object.object()->attrs) {
    if (const Value* v = object.object()->attrs->find(name)) {
      return object.object()->is_config ? from_config(*this, object, name, *v)
                                        : *v;
    }
  }
  if (from_class) {
    Value v = bind_attribute(*this, *from_class, object, cls);
    return object.is_object() && object.object()->is_config &&
                   !v.is(Kind::BoundMethod)
               ? from_config(*this, object, name, v)
               : v;
  }
  if (name == names().class_) {
    return Value(static_cast<Object*>(cls));
  }
  if (name == names().dict && object.is_object()) {
    return Value(Dict::of(object.object()));
  }
  if (name == names().doc) {
    return Value::none();
  }
  return {};
}

const Value*
plain_method(Interpreter& interp, const Value& object, Symbol name) {
  switch (object.is_object() ? object.object()->kind : Kind::Module) {
    case Kind::Module:
    case Kind::Class:
    case Kind::Super:
    case Kind::Function:
    case Kind::Native:
    case Kind::BoundMethod:
    case Kind::Lazy:
      return nullptr;
    default:
      break;
  }
  const Class* cls = interp.class_of(object);
  const Value* method = cls->lookup(name);
  if (!method || !(method->is(Kind::Function) || method->is(Kind::Native)) ||
      cls->hook(Hook::Getattribute)) {
    return nullptr;
  }
  const AttrMap* own = object.object()->attrs;
  return own && own->find(name) ? nullptr : method;
}

namespace {

/// What `__getattribute__` or `__getattr__` answers; Undefined where it raises
/// AttributeError, or would.
Value ask(
    Interpreter& interp,
    const Value& hook,
    const Value& object,
    Symbol name) {
  try {
    std::vector<Value> args{object, str(name)};
    interp.state().may_miss = true;
    return interp.call(hook, std::move(args));
  } catch (const PythonError& error) {
    if (!interp.matches(error, "AttributeError")) {
      throw;
    }
    return {};
  }
}

}  // namespace

Value Interpreter::try_getattr(const Value& object, Symbol name) {
  Class* cls = class_of(object);
  if (!is_builtin_class(cls) && !object.is(Kind::Super)) {
    Value v;
    if (const Value* hook = cls->hook(Hook::Getattribute)) {
      v = ask(*this, *hook, object, name);
    } else {
      try {
        v = generic_getattr(object, name);
      } catch (const PythonError& error) {
        // A property that raises AttributeError falls back to __getattr__.
        if (!matches(error, "AttributeError")) {
          throw;
        }
      }
    }
    if (!v.defined()) {
      if (const Value* hook = cls->hook(Hook::Getattr)) {
        v = ask(*this, *hook, object, name);
      }
    }
    return v;
  }
  return generic_getattr(object, name);
}

Value Interpreter::getattr(const Value& object, Symbol name) {
  Class* cls = class_of(object);
  if (!is_builtin_class(cls) && !object.is(Kind::Super)) {
    if (const Value* hook = cls->hook(Hook::Getattribute)) {
      const Value* fallback = cls->hook(Hook::Getattr);
      if (!fallback) {
        return call(*hook, {object, str(name)});
      }
      Value v = ask(*this, *hook, object, name);
      return v.defined() ? v : call(*fallback, {object, str(name)});
    }
  }
  if (Value v = generic_getattr(object, name); v.defined()) {
    return v;
  }
  if (!is_builtin_class(cls)) {
    if (const Value* hook = cls->hook(Hook::Getattr)) {
      return call(*hook, {object, str(name)});
    }
  }
  raise_no_attribute(*this, object, name);
}

void raise_no_attribute(Interpreter& interp, const Value& object, Symbol name) {
  if (object.is(Kind::Module)) {
    const auto* module = object.get<ModuleObject>();
    if (module->file.empty() || module->file.starts_with("<portwright>")) {
      interp.refuse(
          diagnostics::Kind::UnsupportedAttribute,
          "'" + module->name + "." + name.str() + "' is not known",
          "Portwright does not implement this name yet");
    }
    interp.raise(
        "AttributeError",
        "module '" + module->name + "' has no attribute '" + name.str() + "'");
  }
  if (object.is(Kind::Class)) {
    interp.raise(
        "AttributeError",
        "type object '" + object.get<Class>()->name + "' has no attribute '" +
            name.str() + "'");
  }
  Class* cls = interp.class_of(object);
  if (object.is(Kind::Tensor)) {
    interp.refuse(
        diagnostics::Kind::UnsupportedAttribute,
        "'torch.Tensor." + name.str() + "' is not known",
        "Portwright does not implement this name yet");
  }
  interp.raise(
      "AttributeError",
      "'" + cls->name + "' object has no attribute '" + name.str() + "'");
}

void Interpreter::generic_setattr(
    const Value& object,
    Symbol name,
    const Value& value) {
  if (!object.is_object()) {
    raise(
        "AttributeError",
        "'" + class_of(object)->name + "' object has no attribute '" +
            name.str() + "'");
  }
  Object* o = object.object();
  if (o->kind == Kind::Class) {
    static_cast<Class*>(o)->dict.set(name, value);
    return;
  }
  if (const Value* slot = o->cls->lookup(name)) {
    if (slot->is(Kind::Property)) {
      const Value& setter = slot->get<Property>()->setter;
      if (!setter.defined() || setter.is_none()) {
        raise(
            "AttributeError",
            "property '" + name.str() + "' of '" + o->cls->name +
                "' object has no setter");
      }
      call(setter, {object, value});
      return;
    }
    if (slot->is(Kind::Instance)) {
      if (const Value* set = slot->object()->cls->hook(Hook::Set)) {
        call(*set, {*slot, object, value});
        return;
      }
    }
  }
  if (o->kind == Kind::Function &&
      set_function_attribute(object, name, value)) {
    return;
  }
  if (name == names().class_ && value.is(Kind::Class)) {
    o->cls = value.get<Class>();
    return;
  }
  if (!o->attrs) {
    o->attrs = new AttrMap;
  }
  o->attrs->set(name, value);
}

void Interpreter::setattr(
    const Value& object,
    Symbol name,
    const Value& value) {
  if (object.is_object() && object.object()->kind != Kind::Class) {
    if (const Value* hook = object.object()->cls->hook(Hook::Setattr)) {
      call(*hook, {object, str(name), value});
      return;
    }
  }
  generic_setattr(object, name, value);
}

void generic_delattr(Interpreter& interp, const Value& object, Symbol name) {
  bool erased = false;
  if (object.is(Kind::Class)) {
    erased = object.get<Class>()->dict.erase(name);
  } else if (object.is_object()) {
    if (const Value* slot = object.object()->cls->lookup(name);
        slot && slot->is(Kind::Property) &&
        slot->get<Property>()->deleter.defined() &&
        !slot->get<Property>()->deleter.is_none()) {
      interp.call(slot->get<Property>()->deleter, {object});
      return;
    }
    erased = object.object()->attrs && object.object()->attrs->erase(name);
  }
  if (!erased) {
    raise_no_attribute(interp, object, name);
  }
}

void Interpreter::delattr(const Value& object, Symbol name) {
  if (object.is_object() && object.object()->kind != Kind::Class) {
    if (const Value* hook = object.object()->cls->hook(Hook::Delattr)) {
      call(*hook, {object, str(name)});
      return;
    }
  }
  generic_delattr(*this, object, name);
}

}  // namespace portwright::eval

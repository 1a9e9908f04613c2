#include "eval/frame.h"
#include "eval/state.h"

namespace portwright::eval {

Class::Class(std::string name, std::vector<Class*> bases, Kind instance_kind)
    : Object(Kind::Class),
      name(name),
      qualname(name),
      bases(std::move(bases)),
      instance_kind(instance_kind) {
  mro.push_back(this);
  dict.watch();
}

void Class::clear() {
  Object::clear();
  dict.clear();
}

namespace {

/// What a class answered for a name, as long as no class has changed.
struct Known {
  const Class* cls = nullptr;
  const Class* after = nullptr;
  Symbol name;
  uint64_t generation = 0;
  const Value* value = nullptr;
};
constexpr size_t kKnown = 4096;
constinit thread_local std::array<Known, kKnown> known_lookups;

/// In the order of Hook.
const std::array<Symbol, 6>& hook_names() {
  static const std::array<Symbol, 6> all{
      names().getattribute,
      names().getattr,
      names().setattr,
      names().delattr,
      names().get,
      names().set};
  return all;
}

}  // namespace

const Value* lookup_after(const Class& cls, const Class* after, Symbol name) {
  const size_t at =
      base::mix(&cls) * 3 + base::mix(after) * 5 + base::mix(name.id());
  Known& known = known_lookups[at % kKnown];
  if (known.cls == &cls && known.after == after && known.name == name &&
      known.generation == AttrMap::generation) {
    return known.value;
  }
  const Value* found = nullptr;
  bool past = !after;
  for (size_t i = 0; i < cls.mro.size() && !found; ++i) {
    found = past ? cls.mro[i]->dict.find(name) : nullptr;
    past = past || cls.mro[i] == after;
  }
  known = {&cls, after, name, AttrMap::generation, found};
  return found;
}

const Value* Class::lookup(Symbol name) const {
  return lookup_after(*this, nullptr, name);
}

const Value* Class::hook(Hook which) const {
  if (hooks_.generation != AttrMap::generation) {
    hooks_ = {AttrMap::generation};
  }
  const auto at = static_cast<size_t>(which);
  const auto bit = static_cast<uint8_t>(1U << at);
  if (!(hooks_.known & bit)) {
    hooks_.known |= bit;
    if (module != "builtins") {
      const Symbol name = hook_names()[at];
      const Value* found = lookup(name);
      hooks_.found[at] =
          found == current_types->object->lookup(name) ? nullptr : found;
    }
  }
  return hooks_.found[at];
}

bool Class::is_subclass_of(const Class* other) const {
  for (const Class* c : mro) {
    if (c == other) {
      return true;
    }
  }
  return false;
}

namespace {

std::string qualified(const Class& cls) {
  return cls.module.empty() || cls.module == "builtins"
             ? cls.name
             : cls.module + "." + cls.name;
}

Symbol leading_name(std::string_view signature) {
  return Symbol(signature.substr(0, signature.find('(')));
}

}  // namespace

void Class::def(std::string_view signature, Native::Body body) {
  dict.set(
      leading_name(signature),
      Value(native(qualified(*this), signature, std::move(body))));
}

void Class::def_static(std::string_view signature, Native::Body body) {
  dict.set(
      leading_name(signature),
      Value(make<MethodWrapper>(
          Kind::StaticMethod,
          Value(native(qualified(*this), signature, std::move(body))))));
}

void Class::def_class(std::string_view signature, Native::Body body) {
  dict.set(
      leading_name(signature),
      Value(make<MethodWrapper>(
          Kind::ClassMethod,
          Value(native(qualified(*this), signature, std::move(body))))));
}

void Class::def_property(
    std::string_view property,
    Native::Body getter,
    Native::Body setter) {
  const std::string get = std::string(property) + "(self)";
  const std::string set = std::string(property) + "(self, value)";
  dict.set(
      Symbol(property),
      Value(make<Property>(
          Value(native(qualified(*this), get, std::move(getter))),
          setter ? Value(native(qualified(*this), set, std::move(setter)))
                 : Value())));
}

namespace {

/// C3 linearisation; empty when the bases' orders contradict each other.
std::vector<Class*> linearize(Class* cls) {
  std::vector<std::vector<Class*>> sequences;
  for (Class* base : cls->bases) {
    sequences.push_back(base->mro);
  }
  sequences.push_back(cls->bases);
  std::vector<Class*> out{cls};
  while (true) {
    std::erase_if(sequences, [](const auto& s) { return s.empty(); });
    if (sequences.empty()) {
      return out;
    }
    Class* next = nullptr;
    for (const auto& s : sequences) {
      const bool in_a_tail =
          std::any_of(sequences.begin(), sequences.end(), [&](const auto& t) {
            return std::find(t.begin() + 1, t.end(), s.front()) != t.end();
          });
      if (!in_a_tail) {
        next = s.front();
        break;
      }
    }
    if (!next) {
      return {};
    }
    out.push_back(next);
    for (auto& s : sequences) {
      if (s.front() == next) {
        s.erase(s.begin());
      }
    }
  }
}

}  // namespace

Class* Interpreter::define_class(
    std::string_view name,
    std::vector<Class*> bases,
    Kind instance_kind,
    std::string_view module) {
  if (bases.empty() && types.object) {
    bases.push_back(types.object);
  }
  if (instance_kind == Kind::Instance) {
    for (Class* base : bases) {
      if (base->instance_kind != Kind::Instance) {
        instance_kind = base->instance_kind;
      }
    }
  }
  auto cls = make<Class>(std::string(name), std::move(bases), instance_kind);
  cls->module = module;
  if (!cls->bases.empty()) {
    cls->mro = linearize(cls.get());
    cls->dict.watch();
    PW_CHECK(!cls->mro.empty(), "inconsistent bases of a builtin class");
  }
  state_->classes.push_back(cls);
  if (module == "builtins" && state_->builtins) {
    state_->builtins->set(name, Value(cls));
  }
  return cls.get();
}

namespace {

/// Bases as classes; typing's inert generics answer with __mro_entries__.
std::vector<Class*> base_classes(
    Interpreter& interp,
    const std::string& name,
    const std::vector<Value>& values) {
  std::vector<Class*> out;
  for (const Value& given : values) {
    const Value base = resolve_lazy(interp, given);
    if (base.is(Kind::Class)) {
      out.push_back(base.get<Class>());
      continue;
    }
    Value entries = interp.try_getattr(base, Symbol("__mro_entries__"));
    if (!entries.defined()) {
      interp.refuse(
          diagnostics::Kind::UnsupportedSyntax,
          "class '" + name +
              "' has a base that is no class: " + interp.repr(base));
    }
    for (const Value& entry :
         interp.to_vector(interp.call(entries, {tuple(values)}))) {
      out.push_back(entry.get<Class>());
    }
  }
  // `class A(Generic[T], Protocol[T])` may name one class twice.
  std::vector<Class*> unique;
  for (Class* c : out) {
    if (std::find(unique.begin(), unique.end(), c) == unique.end()) {
      unique.push_back(c);
    }
  }
  if (unique.size() > 1) {
    std::erase(unique, interp.types.object);
  }
  return unique;
}

Class* metaclass_of(
    const Class& cls,
    const std::vector<std::pair<Symbol, Value>>& keywords) {
  for (const auto& [key, value] : keywords) {
    if (key.str() == "metaclass" && value.is(Kind::Class)) {
      return value.get<Class>();
    }
  }
  for (const Class* base : cls.bases) {
    if (base->metaclass) {
      return base->metaclass;
    }
  }
  return nullptr;
}

}  // namespace

Value Interpreter::make_class(
    std::string name,
    std::vector<Value> bases,
    AttrMap ns,
    const std::vector<std::pair<Symbol, Value>>& keywords) {
  const Names& n = names();
  auto base_list = base_classes(*this, name, bases);
  if (base_list.empty()) {
    base_list.push_back(types.object);
  }
  Kind kind = Kind::Instance;
  for (Class* base : base_list) {
    if (base->instance_kind != Kind::Instance) {
      kind = base->instance_kind;
    }
  }
  auto cls = make<Class>(name, base_list, kind);
  cls->mro = linearize(cls.get());
  cls->dict.watch();
  if (cls->mro.empty()) {
    raise(
        "TypeError",
        "Cannot create a consistent method resolution order (MRO) for bases");
  }
  if (const Value* module = ns.find(n.module); module && module->is_str()) {
    cls->module = module->str();
  }
  if (const Value* q = ns.find(n.qualname); q && q->is_str()) {
    cls->qualname = q->str();
  }
  cls->metaclass = metaclass_of(*cls, keywords);
  if (cls->metaclass) {
    for (Symbol hook : {n.new_, n.init, n.call, n.prepare}) {
      const Value* v = cls->metaclass->lookup(hook);
      if (v && v->is(Kind::Function)) {
        refuse(
            diagnostics::Kind::UnsupportedSyntax,
            "class '" + name + "' has a metaclass with its own " + hook.str());
      }
    }
  }
  cls->dict = std::move(ns);
  cls->dict.watch();
  // Python makes these implicit.
  for (Symbol implicit : {n.init_subclass, Symbol("__class_getitem__")}) {
    if (const Value* v = cls->dict.find(implicit); v && v->is(Kind::Function)) {
      cls->dict.set(
          implicit, Value(make<MethodWrapper>(Kind::ClassMethod, *v)));
    }
  }
  if (const Value* v = cls->dict.find(n.new_); v && v->is(Kind::Function)) {
    cls->dict.set(n.new_, Value(make<MethodWrapper>(Kind::StaticMethod, *v)));
  }
  state_->classes.push_back(cls);
  const Value result{cls};
  const auto members = cls->dict.entries();
  for (const auto& [key, value] : members) {
    if (value.is(Kind::Instance)) {
      if (Value hook = try_getattr(value, n.set_name); hook.defined()) {
        call(hook, {result, str(key.str())});
      }
    }
  }
  for (size_t i = 1; i < cls->mro.size(); ++i) {
    if (const Value* hook = cls->mro[i]->dict.find(n.init_subclass)) {
      const Value& function = hook->is(Kind::ClassMethod)
                                  ? hook->get<MethodWrapper>()->function
                                  : *hook;
      CallArgs args{{result}, {}};
      for (const auto& kw : keywords) {
        if (kw.first.str() != "metaclass") {
          args.keywords.push_back(kw);
        }
      }
      call(function, std::move(args));
      break;
    }
  }
  return result;
}

Class* Interpreter::class_of(const Value& value) {
  switch (value.tag()) {
    case Tag::None:
      return types.none_type;
    case Tag::Bool:
      return types.bool_;
    case Tag::Int:
      return types.int_;
    case Tag::Float:
      return types.float_;
    case Tag::Ellipsis:
      return types.ellipsis;
    case Tag::NotImplemented:
      return types.not_implemented;
    case Tag::Object:
      if (value.object()->kind == Kind::Class) {
        auto* cls = value.get<Class>();
        return cls->metaclass ? cls->metaclass : types.type;
      }
      return value.object()->cls;
    case Tag::Undefined:
      break;
  }
  PW_CHECK(false, "class_of an undefined value");
}

bool Interpreter::isinstance(const Value& value, const Class* cls) {
  return class_of(value)->is_subclass_of(cls);
}

namespace {

template <typename Test>
bool any_class(Interpreter& interp, const Value& classinfo, const Test& test) {
  const Value info = resolve_lazy(interp, classinfo);
  if (info.is(Kind::Class)) {
    return test(info.get<Class>());
  }
  if (info.is(Kind::Tuple)) {
    for (const Value& item : info.get<Tuple>()->items) {
      if (any_class(interp, item, test)) {
        return true;
      }
    }
    return false;
  }
  if (info.is_none()) {  // a member of `int | None`
    return test(interp.types.none_type);
  }
  if (Value args = interp.try_getattr(info, Symbol("__args__"));
      args.defined() && args.is(Kind::Tuple) &&
      !interp.try_getattr(info, Symbol("__origin__")).is(Kind::Class)) {
    return any_class(interp, args, test);
  }
  if (Value origin = interp.try_getattr(info, Symbol("__origin__"));
      origin.is(Kind::Class)) {
    return test(origin.get<Class>());
  }
  interp.raise(
      "TypeError",
      "isinstance() arg 2 must be a type, a tuple of types, or a union");
}

}  // namespace

bool Interpreter::isinstance(const Value& value, const Value& classinfo) {
  const Value object = resolve_lazy(*this, value);
  return any_class(*this, classinfo, [&](Class* cls) {
    if (class_of(object)->is_subclass_of(cls)) {
      return true;
    }
    for (const Class* owner : {cls->metaclass, cls}) {
      const Value* hook =
          owner ? owner->lookup(names().instancecheck) : nullptr;
      if (hook) {
        const Value function = hook->is(Kind::ClassMethod)
                                   ? hook->get<MethodWrapper>()->function
                                   : *hook;
        return truthy(
            call(function, {Value(static_cast<Object*>(cls)), object}));
      }
    }
    return false;
  });
}

bool Interpreter::issubclass(Class* cls, const Value& classinfo) {
  return any_class(
      *this, classinfo, [&](Class* c) { return cls->is_subclass_of(c); });
}

Value allocate(Interpreter& interp, Class* cls) {
  Value out;
  switch (cls->instance_kind) {
    case Kind::Instance:
      return Value(make<Instance>(cls));
    case Kind::Dict:
      out = Value(make<Dict>());
      break;
    case Kind::List:
      out = Value(make<List>());
      break;
    case Kind::Tuple:
      out = Value(make<Tuple>());
      break;
    case Kind::Set:
      out = Value(make<Set>());
      break;
    case Kind::Property:
      out = Value(make<Property>(Value()));
      break;
    default:
      interp.refuse(
          diagnostics::Kind::UnsupportedOperation,
          "'" + cls->name + "' cannot be instantiated here");
  }
  out.object()->cls = cls;
  return out;
}

Value instantiate(Interpreter& interp, Class* cls, CallArgs args) {
  const Names& n = names();
  if (cls == interp.types.type && args.positional.size() == 1) {
    return Value(
        static_cast<Object*>(interp.class_of(args.positional.front())));
  }
  if (const Value* hook = cls->lookup(n.class_call)) {
    args.positional.insert(
        args.positional.begin(), Value(static_cast<Object*>(cls)));
    const Value function =
        hook->is(Kind::ClassMethod) || hook->is(Kind::StaticMethod)
            ? hook->get<MethodWrapper>()->function
            : *hook;
    return interp.call(function, std::move(args));
  }
  const Value* maker = cls->lookup(n.new_);
  Value object;
  if (maker) {
    CallArgs with_class = args;
    with_class.positional.insert(
        with_class.positional.begin(), Value(static_cast<Object*>(cls)));
    object = interp.call(
        maker->is(Kind::StaticMethod) ? maker->get<MethodWrapper>()->function
                                      : *maker,
        std::move(with_class));
    if (!interp.isinstance(object, cls)) {
      return object;
    }
  } else {
    object = allocate(interp, cls);
  }
  const Value* init = cls->lookup(n.init);
  if (init) {
    args.positional.insert(args.positional.begin(), object);
    interp.call(*init, std::move(args));
  } else if (!maker && (!args.positional.empty() || !args.keywords.empty())) {
    interp.raise("TypeError", cls->name + "() takes no arguments");
  }
  return object;
}

}  // namespace portwright::eval

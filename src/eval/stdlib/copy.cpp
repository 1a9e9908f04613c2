#include "eval/builtins/support.h"
#include "eval/nesting.h"
#include "eval/state.h"
#include "eval/stdlib/modules.h"

namespace portwright::eval {

namespace {

Value id_of(const Object* object) {
  return Value::integer(
      static_cast<int64_t>(reinterpret_cast<uintptr_t>(object)));
}

// A copied config stays a config: its fields still say where they came from.
void keep_config(Interpreter& in, const Object* from, const Value& to) {
  if (from->is_config) {
    in.mark_config(to, in.state().config_paths[from]);
  }
}

void copy_attributes(const Object& from, Object& to) {
  if (!from.attrs) {
    return;
  }
  if (!to.attrs) {
    to.attrs = new AttrMap;
  }
  for (const auto& [name, value] : from.attrs->entries()) {
    to.attrs->set(name, value);
  }
}

// An empty object of the same class; Undefined for what is not copied.
Value empty_like(Object* object) {
  Value out;
  switch (object->kind) {
    case Kind::List:
      out = Value(make<List>());
      break;
    case Kind::Dict:
      out = Value(make<Dict>());
      break;
    case Kind::Set:
      out = Value(make<Set>());
      break;
    case Kind::Tuple:
      out = Value(make<Tuple>());
      break;
    case Kind::Instance:
      return Value(make<Instance>(object->cls));
    default:
      return {};
  }
  out.object()->cls = object->cls;
  return out;
}

Value shallow_copy(Interpreter& in, const Value& v) {
  static const Symbol hook("__copy__");
  if (!v.is_object() || v.is(Kind::Class)) {
    return v;
  }
  if (Value r = call_special(in, v, hook); r.defined()) {
    return r;
  }
  Value out = empty_like(v.object());
  if (!out.defined() || (v.is(Kind::Tuple) && is_plain(in, v))) {
    return v;
  }
  copy_attributes(*v.object(), *out.object());
  switch (v.object()->kind) {
    case Kind::List:
      out.get<List>()->items = v.get<List>()->items;
      break;
    case Kind::Tuple:
      out.get<Tuple>()->items = v.get<Tuple>()->items;
      break;
    case Kind::Dict:
      for (const Dict::Entry& e : v.get<Dict>()->entries()) {
        if (e.key.defined()) {
          out.get<Dict>()->set(in, e.key, e.value);
        }
      }
      break;
    case Kind::Set:
      update_dict(in, *out.get<Set>()->items, Value(v.get<Set>()->items));
      break;
    default:
      break;
  }
  keep_config(in, v.object(), out);
  return out.with(v.provenance());
}

Value deep_copy(Interpreter& in, const Value& v, const Ref<Dict>& memo);

void copy_contents(
    Interpreter& in,
    const Value& from,
    const Value& to,
    const Ref<Dict>& memo) {
  const auto copy_all = [&](const std::vector<Value>& items) {
    std::vector<Value> out;
    out.reserve(items.size());
    for (const Value& item : items) {
      out.push_back(deep_copy(in, item, memo));
    }
    return out;
  };
  switch (from.object()->kind) {
    case Kind::List:
      to.get<List>()->items = copy_all(from.get<List>()->items);
      break;
    case Kind::Tuple:
      to.get<Tuple>()->items = copy_all(from.get<Tuple>()->items);
      break;
    case Kind::Dict:
      for (const Dict::Entry& e : from.get<Dict>()->entries()) {
        if (e.key.defined()) {
          to.get<Dict>()->set(
              in, deep_copy(in, e.key, memo), deep_copy(in, e.value, memo));
        }
      }
      break;
    case Kind::Set:
      for (const Dict::Entry& e : from.get<Set>()->items->entries()) {
        if (e.key.defined()) {
          to.get<Set>()->items->set(
              in, deep_copy(in, e.key, memo), Value::none());
        }
      }
      break;
    default:
      break;
  }
  if (from.object()->attrs) {
    const auto entries = from.object()->attrs->entries();
    for (const auto& [name, value] : entries) {
      if (!to.object()->attrs) {
        to.object()->attrs = new AttrMap;
      }
      to.object()->attrs->set(name, deep_copy(in, value, memo));
    }
  }
}

Value deep_copy(Interpreter& in, const Value& v, const Ref<Dict>& memo) {
  static const Symbol hook("__deepcopy__");
  if (!v.is_object() || v.is(Kind::Class) || v.is(Kind::Function) ||
      v.is(Kind::Native) || v.is(Kind::Module) ||
      (v.is_str() && is_plain(in, v))) {
    return v;
  }
  const Value id = id_of(v.object());
  if (const Value* done = memo->find(in, id)) {
    return done->with(v.provenance());
  }
  in.charge();
  const Nesting level(in);
  if (Value r = call_special(in, v, hook, {Value(memo)}); r.defined()) {
    memo->set(in, id, r);
    return r;
  }
  if (v.is(Kind::BoundMethod)) {
    const BoundMethod& m = *v.get<BoundMethod>();
    return Value(make<BoundMethod>(deep_copy(in, m.self, memo), m.function));
  }
  Value out = empty_like(v.object());
  if (!out.defined()) {
    return v;
  }
  memo->set(in, id, out);
  copy_contents(in, v, out, memo);
  keep_config(in, v.object(), out);
  return out.with(v.provenance());
}

}  // namespace

void define_copy(Interpreter&, ModuleObject& m) {
  m.def("copy(x)", [](Interpreter& in, Args a) {
    return shallow_copy(in, a[0]);
  });
  m.def("deepcopy(x, memo=None)", [](Interpreter& in, Args a) {
    const Ref<Dict> memo =
        a[1].is(Kind::Dict) ? Ref<Dict>(a[1].get<Dict>()) : dict();
    return deep_copy(in, a[0], memo);
  });
}

}  // namespace portwright::eval

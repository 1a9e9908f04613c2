#include "eval/dispatch.h"

#include <algorithm>

namespace portwright::eval {

// Of the core: throws, noting where.
[[noreturn]] void throw_python(Interpreter& interp, const Value& exception);

Class* builtin_class(Interpreter& interp, const Object* object) {
  const Types& t = interp.types;
  switch (object->kind) {
    case Kind::Str:
      return t.str;
    case Kind::Bytes:
      return t.bytes;
    case Kind::List:
      return t.list;
    case Kind::Tuple:
      return t.tuple;
    case Kind::Dict:
      return t.dict;
    case Kind::Set:
      return object->cls->is_subclass_of(t.frozenset) ? t.frozenset : t.set;
    case Kind::Slice:
      return t.slice;
    case Kind::Range:
      return t.range;
    case Kind::Iterator:
      return t.iterator;
    default:
      return nullptr;
  }
}

bool overrides(Interpreter& interp, const Object* object, Symbol name) {
  const Class* base = builtin_class(interp, object);
  if (!base || object->cls == base) {
    return false;
  }
  return object->cls->lookup(name) != base->lookup(name);
}

bool is_plain(Interpreter& interp, const Value& value) {
  if (!value.is_object()) {
    return true;
  }
  return value.object()->cls == builtin_class(interp, value.object());
}

namespace {

Value call_found(
    Interpreter& interp,
    const Value& method,
    const Value& self,
    Class* cls,
    std::vector<Value> args) {
  if (method.is(Kind::Function) || method.is(Kind::Native)) {
    args.insert(args.begin(), self);
    return interp.call(method, std::move(args));
  }
  if (method.is(Kind::StaticMethod)) {
    return interp.call(method.get<MethodWrapper>()->function, std::move(args));
  }
  if (method.is(Kind::ClassMethod)) {
    args.insert(args.begin(), Value(static_cast<Object*>(cls)));
    return interp.call(method.get<MethodWrapper>()->function, std::move(args));
  }
  // Other descriptors (partialmethod, property) bind themselves.
  static const Symbol get("__get__");
  if (method.is_object() && interp.class_of(method)->lookup(get)) {
    const Value bound = interp.call_method(
        method, "__get__", {self, Value(static_cast<Object*>(cls))});
    return interp.call(bound, std::move(args));
  }
  return interp.call(method, std::move(args));
}

}  // namespace

Value call_special(
    Interpreter& interp,
    const Value& self,
    Symbol name,
    std::vector<Value> args) {
  Class* cls = interp.class_of(self);
  const Value* method = cls->lookup(name);
  if (!method || method->is_none()) {
    return {};
  }
  return call_found(interp, *method, self, cls, std::move(args));
}

Value call_class_hook(
    Interpreter& interp,
    const Value& cls,
    Symbol hook,
    Symbol special,
    std::vector<Value> args) {
  Class* target = cls.get<Class>();
  if (const Value* method = target->lookup(hook)) {
    return call_found(interp, *method, cls, target, std::move(args));
  }
  return call_special(interp, cls, special, std::move(args));
}

void raise_with(
    Interpreter& interp,
    std::string_view type,
    std::vector<Value> args) {
  const AttrMap* names = interp.builtins().attrs;
  const Value* cls = names ? names->find(Symbol(type)) : nullptr;
  PW_CHECK(cls, "unknown exception type " + std::string(type));
  throw_python(interp, interp.call(*cls, std::move(args)));
}

const std::string& type_name(Interpreter& interp, const Value& value) {
  return interp.class_of(value)->name;
}

void check_items(Interpreter& interp, uint64_t count) {
  if (count > interp.limits().items) {
    interp.refuse(
        diagnostics::Kind::LimitExceeded,
        fmt::format(
            "a sequence of {} items is more than the allowed {}",
            count,
            interp.limits().items));
  }
  interp.charge(count / 8);
}

int64_t as_index(Interpreter& interp, const Value& value) {
  if (value.is_integral()) {
    return value.as_int();
  }
  static const Symbol index("__index__");
  if (value.is_object()) {
    const Value result = call_special(interp, value, index);
    if (result.is_integral()) {
      return result.as_int();
    }
  }
  interp.raise(
      "TypeError",
      fmt::format(
          "'{}' object cannot be interpreted as an integer",
          type_name(interp, value)));
}

const Provenance*
call_provenance(Interpreter& interp, std::string_view name, const Value& a) {
  if (!interp.track_provenance || !a.provenance()) {
    return nullptr;
  }
  return interp.provenance(
      {.kind = Provenance::Kind::Call,
       .name = Symbol(name),
       .left = a.provenance()});
}

const Provenance* call_provenance(
    Interpreter& interp,
    std::string_view name,
    const Value& a,
    const Value& b) {
  if (!interp.track_provenance || (!a.provenance() && !b.provenance())) {
    return nullptr;
  }
  return interp.provenance(
      {.kind = Provenance::Kind::Call,
       .name = Symbol(name),
       .left = interp.provenance_of(a),
       .right = interp.provenance_of(b)});
}

SliceRange
resolve_slice(Interpreter& interp, const Slice& slice, int64_t size) {
  const auto missing = [](const Value& v) {
    return !v.defined() || v.is_none();
  };
  const auto bound = [&](const Value& v) {
    if (!v.is_integral() && !v.is_object()) {
      interp.raise(
          "TypeError",
          "slice indices must be integers or None or have an __index__ method");
    }
    return as_index(interp, v);
  };
  const int64_t step = missing(slice.step) ? 1 : bound(slice.step);
  if (step == 0) {
    interp.raise("ValueError", "slice step cannot be zero");
  }
  const int64_t low = step > 0 ? 0 : -1;
  const int64_t high = step > 0 ? size : size - 1;
  const auto clip = [&](const Value& v, int64_t fallback) {
    if (missing(v)) {
      return fallback;
    }
    int64_t i = bound(v);
    return std::clamp(i < 0 ? i + size : i, low, high);
  };
  const int64_t start = clip(slice.lower, step > 0 ? low : high);
  const int64_t stop = clip(slice.upper, step > 0 ? high : low);
  int64_t count = 0;
  if (step > 0 && stop > start) {
    count = (stop - start - 1) / step + 1;
  } else if (step < 0 && start > stop) {
    // Negating in unsigned keeps step = INT64_MIN defined.
    count = static_cast<int64_t>(
        (static_cast<uint64_t>(start - stop) - 1) /
            (0 - static_cast<uint64_t>(step)) +
        1);
  }
  return {start, step, count};
}

}  // namespace portwright::eval

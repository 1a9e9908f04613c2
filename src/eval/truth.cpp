// truthy, hash, contains.

#include <cmath>

#include "eval/dispatch.h"
#include "eval/generic_alias.h"
#include "eval/nesting.h"
#include "eval/views.h"
#include "eval/wide_integer.h"

namespace portwright::eval {

namespace {

size_t mix(size_t seed, size_t value) {
  return seed ^ (value + 0x9e3779b97f4a7c15ULL + (seed << 6) + (seed >> 2));
}

size_t hash_float(double f) {
  // Equal numbers hash alike.
  if (f == std::floor(f) && std::abs(f) < 9.2e18) {
    return static_cast<size_t>(static_cast<int64_t>(f));
  }
  return std::hash<double>{}(f);
}

[[noreturn]] void unhashable(Interpreter& interp, const Value& value) {
  interp.raise(
      "TypeError",
      fmt::format("unhashable type: '{}'", type_name(interp, value)));
}

// A class that defines __eq__ without __hash__ is unhashable.
size_t hash_instance(Interpreter& interp, const Value& value) {
  static const Symbol hash("__hash__"), eq("__eq__");
  Object* object = value.object();
  for (const Class* c : interp.class_of(value)->mro) {
    if (c == interp.types.object) {
      break;
    }
    if (const Value* method = c->dict.find(hash)) {
      if (method->is_none()) {
        unhashable(interp, value);
      }
      const Value result = call_special(interp, value, hash);
      return static_cast<size_t>(as_index(interp, result));
    }
    if (c->dict.find(eq)) {
      unhashable(interp, value);
    }
  }
  return std::hash<const void*>{}(object) >> 4;
}

// A wide int may equal a float.
size_t hash_wide(Interpreter& interp, const Value& value) {
  const double nearest =
      wide_bits(value) < 1024 ? wide_to_double(interp, value) : HUGE_VAL;
  return compare_wide(value, Value::real(nearest)) == 0
             ? hash_float(nearest)
             : std::hash<std::string>{}(wide_digits(value));
}

size_t hash_builtin(Interpreter& interp, const Value& value) {
  switch (value.object()->kind) {
    case Kind::Str:
      return std::hash<std::string_view>{}(value.str());
    case Kind::Bytes:
      return std::hash<std::string_view>{}(value.get<Bytes>()->data) + 1;
    case Kind::Tuple: {
      const Nesting level(interp);
      size_t seed = 0x345678;
      for (const Value& item : value.get<Tuple>()->items) {
        seed = mix(seed, interp.hash(item));
      }
      return seed;
    }
    case Kind::Set: {
      if (!value.object()->cls->is_subclass_of(interp.types.frozenset)) {
        unhashable(interp, value);
      }
      size_t sum = 927;
      for (const Dict::Entry& e : value.get<Set>()->items->entries()) {
        if (e.key.defined()) {
          sum ^= mix(0, e.hash);  // whatever the order
        }
      }
      return sum;
    }
    case Kind::Range: {
      const Range& r = *value.get<Range>();
      const size_t n = static_cast<size_t>(r.size());
      return mix(mix(n, n ? r.start : 0), n > 1 ? r.step : 0);
    }
    case Kind::BoundMethod:
      return mix(
          std::hash<const void*>{}(
              value.get<BoundMethod>()->function.is_object()
                  ? value.get<BoundMethod>()->function.object()
                  : nullptr),
          value.get<BoundMethod>()->self.is_object()
              ? std::hash<const void*>{}(
                    value.get<BoundMethod>()->self.object())
              : 0);
    case Kind::List:
    case Kind::Dict:
    case Kind::Slice:
      unhashable(interp, value);
    default:
      return std::hash<const void*>{}(value.object()) >> 4;
  }
}

bool find_in(
    Interpreter& interp,
    const std::vector<Value>& items,
    const Value& wanted) {
  for (size_t i = 0; i < items.size(); ++i) {
    const Value item = items[i];  // equality may run code that changes the list
    if ((item.is_object() && wanted.is_object() &&
         item.object() == wanted.object()) ||
        interp.equal(item, wanted)) {
      return true;
    }
  }
  return false;
}

bool in_range(Interpreter& interp, const Range& r, const Value& item) {
  if (item.is_float() && item.as_double() != std::floor(item.as_double())) {
    return false;
  }
  if (!item.is_number()) {
    return false;
  }
  const int64_t i =
      item.is_float() ? static_cast<int64_t>(item.as_double()) : item.as_int();
  (void)interp;
  const bool inside =
      r.step > 0 ? i >= r.start && i < r.stop : i <= r.start && i > r.stop;
  return inside && (i - r.start) % r.step == 0;
}

}  // namespace

bool Interpreter::truthy(const Value& value) {
  switch (value.tag()) {
    case Tag::Bool:
      return value.as_bool();
    case Tag::Int:
      return value.as_int() != 0;
    case Tag::Float:
      return value.as_double() != 0;
    case Tag::None:
    case Tag::Undefined:
      return false;
    case Tag::Ellipsis:
    case Tag::NotImplemented:
      return true;
    case Tag::Object:
      break;
  }
  static const Symbol as_bool("__bool__"), len("__len__");
  const Object* object = value.object();
  switch (object->kind) {
    case Kind::Function:
    case Kind::Native:
    case Kind::BoundMethod:
    case Kind::Module:
      return true;
    case Kind::Class:
      if (object->cls == types.type) {
        return true;
      }
      break;
    case Kind::Opaque:
      if (is_wide(*this, value)) {
        return true;
      }
      break;
    default:
      break;
  }
  Class* base = builtin_class(*this, object);
  if (base && object->cls != base && object->cls->lookup(as_bool) == nullptr &&
      !overrides(*this, object, len)) {
    const int64_t n = builtin_length(value);
    return n != 0;
  }
  if (base && object->cls == base) {
    return builtin_length(value) != 0;
  }
  Value r = call_special(*this, value, as_bool);
  if (r.defined()) {
    if (!r.is_bool()) {
      raise(
          "TypeError",
          fmt::format(
              "__bool__ should return bool, returned {}", type_name(*this, r)));
    }
    return r.as_bool();
  }
  r = call_special(*this, value, len);
  return !r.defined() || as_index(*this, r) != 0;
}

size_t Interpreter::hash(const Value& value) {
  switch (value.tag()) {
    case Tag::Bool:
    case Tag::Int:
      return static_cast<size_t>(value.as_int());
    case Tag::Float:
      return hash_float(value.as_double());
    case Tag::Object:
      break;
    default:
      return 0x5bd1e995 + static_cast<size_t>(value.tag());
  }
  if (is_plain(*this, value)) {
    return hash_builtin(*this, value);
  }
  if (is_wide(*this, value)) {
    return hash_wide(*this, value);
  }
  static const Symbol hash("__hash__");
  const Object* object = value.object();
  if (builtin_class(*this, object) && !overrides(*this, object, hash)) {
    static const Symbol eq("__eq__");
    if (!overrides(*this, object, eq)) {
      return hash_builtin(*this, value);
    }
  }
  switch (object->kind) {
    case Kind::Class:
    case Kind::Function:
    case Kind::Native:
    case Kind::BoundMethod:
    case Kind::Module:
      return hash_builtin(*this, value);
    default:
      return hash_instance(*this, value);
  }
}

int builtin_contains(
    Interpreter& interp,
    const Value& container,
    const Value& item) {
  if (!container.is_object()) {
    return -1;
  }
  switch (container.object()->kind) {
    case Kind::Str:
      if (!item.is_str()) {
        interp.raise(
            "TypeError",
            fmt::format(
                "'in <string>' requires string as left operand, not {}",
                type_name(interp, item)));
      }
      return container.str().find(item.str()) != std::string::npos;
    case Kind::Bytes:
      if (item.is(Kind::Bytes)) {
        return container.get<Bytes>()->data.find(item.get<Bytes>()->data) !=
               std::string::npos;
      }
      return container.get<Bytes>()->data.find(static_cast<char>(
                 as_index(interp, item))) != std::string::npos;
    case Kind::List:
      return find_in(interp, container.get<List>()->items, item);
    case Kind::Tuple:
      return find_in(interp, container.get<Tuple>()->items, item);
    case Kind::Dict:
      return container.get<Dict>()->find(interp, item) != nullptr;
    case Kind::Set:
      return container.get<Set>()->items->find(interp, item) != nullptr;
    case Kind::Range:
      return in_range(interp, *container.get<Range>(), item);
    default:
      break;
  }
  if (const DictView* view = as_view(interp, container)) {
    if (view->what == DictView::What::Keys) {
      return view->dict->find(interp, item) != nullptr;
    }
    for (size_t i = 0; i < view->dict->entries().size(); ++i) {
      const Dict::Entry entry = view->dict->entries()[i];
      if (entry.key.defined() && interp.equal(view_item(*view, entry), item)) {
        return 1;
      }
    }
    return 0;
  }
  return -1;
}

bool Interpreter::contains(const Value& container, const Value& item) {
  static const Symbol contains("__contains__"),
      class_contains("__class_contains__");
  if (container.is_object()) {
    if (builtin_class(*this, container.object()) &&
        !overrides(*this, container.object(), contains)) {
      const int r = builtin_contains(*this, container, item);
      if (r >= 0) {
        return r > 0;
      }
    }
    if (as_view(*this, container)) {
      return builtin_contains(*this, container, item) > 0;
    }
    Value r = container.is(Kind::Class)
                  ? call_class_hook(
                        *this, container, class_contains, contains, {item})
                  : call_special(*this, container, contains, {item});
    if (r.defined()) {
      return truthy(r);
    }
  }
  static const Symbol iter("__iter__"), getitem("__getitem__");
  const Class* cls = class_of(container);
  if (!container.is(Kind::Class) && !cls->lookup(iter) &&
      !cls->lookup(getitem)) {
    raise(
        "TypeError",
        fmt::format("argument of type '{}' is not iterable", cls->name));
  }
  Ref<Iterator> it = iterate(container);
  for (Value v = it->next(*this); v.defined(); v = it->next(*this)) {
    charge();
    if ((v.is_object() && item.is_object() && v.object() == item.object()) ||
        equal(v, item)) {
      return true;
    }
  }
  return false;
}

}  // namespace portwright::eval

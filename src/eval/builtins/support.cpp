#include "eval/builtins/support.h"

#include "eval/views.h"

namespace portwright::eval {

namespace {

template <typename T>
T& as_kind(
    Interpreter& interp,
    const Value& value,
    Kind kind,
    std::string_view name) {
  if (!value.is(kind)) {
    interp.raise(
        "TypeError",
        fmt::format(
            "expected a '{}' object but received a '{}'",
            name,
            type_name(interp, value)));
  }
  return *value.get<T>();
}

}  // namespace

Str& as_str(Interpreter& interp, const Value& value) {
  return as_kind<Str>(interp, value, Kind::Str, "str");
}
Bytes& as_bytes(Interpreter& interp, const Value& value) {
  return as_kind<Bytes>(interp, value, Kind::Bytes, "bytes");
}
List& as_list(Interpreter& interp, const Value& value) {
  return as_kind<List>(interp, value, Kind::List, "list");
}
Tuple& as_tuple(Interpreter& interp, const Value& value) {
  return as_kind<Tuple>(interp, value, Kind::Tuple, "tuple");
}
Dict& as_dict(Interpreter& interp, const Value& value) {
  return as_kind<Dict>(interp, value, Kind::Dict, "dict");
}
Set& as_set(Interpreter& interp, const Value& value) {
  return as_kind<Set>(interp, value, Kind::Set, "set");
}
Class& as_class(Interpreter& interp, const Value& value) {
  return as_kind<Class>(interp, value, Kind::Class, "type");
}

Range& as_range(Interpreter& interp, const Value& value) {
  return as_kind<Range>(interp, value, Kind::Range, "range");
}
Slice& as_slice(Interpreter& interp, const Value& value) {
  return as_kind<Slice>(interp, value, Kind::Slice, "slice");
}

const std::vector<Value>& rest(const Value& arguments) {
  return arguments.get<Tuple>()->items;
}

CallArgs call_args(std::vector<Value> positional, const Value& keywords) {
  CallArgs out{std::move(positional), {}};
  for (const Dict::Entry& e : keywords.get<Dict>()->entries()) {
    if (e.key.defined()) {
      out.keywords.emplace_back(Symbol(e.key.str()), e.value);
    }
  }
  return out;
}

namespace {

struct Keyed {
  Value key, item;
};

bool less(Interpreter& interp, const Value& a, const Value& b) {
  if (a.is_int() && b.is_int()) {
    return a.as_int() < b.as_int();
  }
  return interp.truthy(interp.compare("<", a, b));
}

// Merging never reads out of bounds, whatever a class's __lt__ answers.
void merge_sort(
    Interpreter& interp,
    std::vector<Keyed>& v,
    std::vector<Keyed>& scratch,
    size_t begin,
    size_t end) {
  if (end - begin < 2) {
    return;
  }
  const size_t middle = begin + (end - begin) / 2;
  merge_sort(interp, v, scratch, begin, middle);
  merge_sort(interp, v, scratch, middle, end);
  size_t left = begin, right = middle;
  for (size_t at = begin; at < end; ++at) {
    const bool take_right =
        left == middle ||
        (right < end && less(interp, v[right].key, v[left].key));
    scratch[at] = take_right ? v[right++] : v[left++];
  }
  std::move(scratch.begin() + begin, scratch.begin() + end, v.begin() + begin);
}

}  // namespace

void sort_values(
    Interpreter& interp,
    std::vector<Value>& items,
    const Value& key,
    bool reverse) {
  interp.charge(items.size());
  std::vector<Keyed> keyed;
  keyed.reserve(items.size());
  for (const Value& item : items) {
    keyed.push_back({given(key) ? interp.call(key, {item}) : item, item});
  }
  // Equal items keep their order also in reverse.
  if (reverse) {
    std::reverse(keyed.begin(), keyed.end());
  }
  std::vector<Keyed> scratch(keyed.size());
  merge_sort(interp, keyed, scratch, 0, keyed.size());
  if (reverse) {
    std::reverse(keyed.begin(), keyed.end());
  }
  std::vector<Value> sorted;
  sorted.reserve(keyed.size());
  for (Keyed& k : keyed) {
    sorted.push_back(std::move(k.item));
  }
  items = std::move(sorted);
}

Value advance(Interpreter& interp, const Value& iterator) {
  if (iterator.is(Kind::Iterator)) {
    return iterator.get<Iterator>()->next(interp);
  }
  static const Symbol next("__next__");
  if (!iterator.is_object() || !interp.class_of(iterator)->lookup(next)) {
    interp.raise(
        "TypeError",
        fmt::format(
            "'{}' object is not an iterator", type_name(interp, iterator)));
  }
  try {
    return call_special(interp, iterator, next);
  } catch (const PythonError& error) {
    if (!interp.matches(error, "StopIteration")) {
      throw;
    }
    return {};
  }
}

void update_dict(Interpreter& interp, Dict& target, const Value& source) {
  static const Symbol iter("__iter__"), getitem("__getitem__");
  if (source.is(Kind::Dict) && !overrides(interp, source.object(), iter) &&
      !overrides(interp, source.object(), getitem)) {
    const Ref<Dict> other(source.get<Dict>());
    for (size_t i = 0; i < other->entries().size(); ++i) {
      const Dict::Entry e = other->entries()[i];
      if (e.key.defined()) {
        target.set(interp, e.key, e.value);
      }
    }
    return;
  }
  if (interp.try_getattr(source, "keys").defined()) {
    interp.for_each(interp.call_method(source, "keys"), [&](Value key) {
      target.set(interp, key, interp.getitem(source, key));
    });
    return;
  }
  int64_t i = 0;
  interp.for_each(source, [&](Value pair) {
    const std::vector<Value> parts = interp.to_vector(pair);
    if (parts.size() != 2) {
      interp.raise(
          "ValueError",
          fmt::format(
              "dictionary update sequence element #{} has length {}; 2 is "
              "required",
              i,
              parts.size()));
    }
    target.set(interp, parts[0], parts[1]);
    ++i;
  });
}

void refuse_function(
    ModuleObject& module,
    std::string_view name,
    std::string_view reason) {
  const std::string full = module.name == "builtins"
                               ? std::string(name)
                               : module.name + "." + std::string(name);
  module.def(
      std::string(name) + "(*args, **kwargs)",
      [full, why = std::string(reason)](Interpreter& interp, Args) -> Value {
        interp.refuse(
            diagnostics::Kind::UnsupportedFunction,
            "'" + full + "' is not evaluated",
            why);
      });
}

}  // namespace portwright::eval

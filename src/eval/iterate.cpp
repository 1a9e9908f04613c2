#include "eval/dispatch.h"
#include "eval/utf8.h"
#include "eval/views.h"

namespace portwright::eval {

namespace {

const Provenance*
loop_index(Interpreter& interp, const Provenance* upper, int64_t i) {
  return interp.provenance(
      {.kind = Provenance::Kind::Loop, .integer = i, .left = upper});
}

const Provenance* length_of(Interpreter& interp, const Provenance* container) {
  return interp.provenance(
      {.kind = Provenance::Kind::Length, .left = container});
}

// container[i] for the i-th turn of a loop over a traced list.
Value element(
    Interpreter& interp,
    const Value& item,
    const Provenance* container,
    const Provenance* length,
    int64_t i) {
  return item.with(interp.provenance(
      {.kind = Provenance::Kind::Index,
       .left = container,
       .right = loop_index(interp, length, i)}));
}

template <typename T>
Ref<Iterator> iterate_items(Interpreter& interp, const Value& value) {
  Ref<T> source(value.get<T>());
  if (!value.provenance() || !interp.track_provenance) {
    return make<Iterator>(
        [source, i = size_t{0}](Interpreter&) mutable -> Value {
          return i < source->items.size() ? source->items[i++] : Value();
        });
  }
  const Provenance* container = value.provenance();
  const Provenance* length = length_of(interp, container);
  return make<Iterator>(
      [source, container, length, i = size_t{0}](
          Interpreter& in) mutable -> Value {
        if (i >= source->items.size()) {
          return {};
        }
        Value v = element(in, source->items[i], container, length, i);
        ++i;
        return v;
      });
}

Ref<Iterator> iterate_range(const Value& value) {
  const Range& r = *value.get<Range>();
  return make<Iterator>(
      [start = r.start,
       step = r.step,
       left = r.size(),
       stop = r.stop_provenance,
       i = int64_t{0}](Interpreter& interp) mutable -> Value {
        if (i >= left) {
          return {};
        }
        const Value v = Value::integer(start + i * step);
        ++i;
        return stop ? v.with(loop_index(interp, stop, v.as_int())) : v;
      });
}

Ref<Iterator> iterate_dict(Ref<Dict> source, DictView::What what) {
  return make<Iterator>(
      [source, what, i = size_t{0}](Interpreter& interp) mutable -> Value {
        const auto& entries = source->entries();
        while (i < entries.size() && !entries[i].key.defined()) {
          ++i;
        }
        if (i >= entries.size()) {
          return {};
        }
        const Dict::Entry& e = entries[i++];
        (void)interp;
        switch (what) {
          case DictView::What::Keys:
            return e.key;
          case DictView::What::Values:
            return e.value;
          case DictView::What::Items:
            break;
        }
        return tuple({e.key, e.value});
      });
}

Ref<Iterator> iterate_text(const Value& value) {
  return make<Iterator>(
      [source = Ref<Str>(value.get<Str>()),
       i = size_t{0}](Interpreter&) mutable -> Value {
        if (i >= source->text.size()) {
          return {};
        }
        return str(utf8::encode(utf8::next(source->text, i)));
      });
}

// An object with __next__.
Ref<Iterator> wrap_next(const Value& iterator) {
  return make<Iterator>([iterator](Interpreter& interp) -> Value {
    static const Symbol next("__next__");
    try {
      return call_special(interp, iterator, next);
    } catch (const PythonError& error) {
      if (!interp.matches(error, "StopIteration")) {
        throw;
      }
      return {};
    }
  });
}

// The old protocol: __getitem__ from 0 until IndexError.
Ref<Iterator> iterate_by_index(const Value& value) {
  return make<Iterator>(
      [value, i = int64_t{0}](Interpreter& interp) mutable -> Value {
        try {
          return interp.getitem(value, Value::integer(i++));
        } catch (const PythonError& error) {
          if (!interp.matches(error, "IndexError")) {
            throw;
          }
          return {};
        }
      });
}

Ref<Iterator> iterate_special(Interpreter& interp, const Value& value) {
  static const Symbol iter("__iter__"), next("__next__"),
      getitem("__getitem__"), hook("__class_iter__");
  const Value made = value.is(Kind::Class)
                         ? call_class_hook(interp, value, hook, iter)
                         : call_special(interp, value, iter);
  if (made.is(Kind::Iterator)) {
    return Ref<Iterator>(made.get<Iterator>());
  }
  if (made.defined()) {
    if (!made.is_object() || !interp.class_of(made)->lookup(next)) {
      interp.raise(
          "TypeError",
          fmt::format(
              "iter() returned non-iterator of type '{}'",
              type_name(interp, made)));
    }
    return wrap_next(made);
  }
  if (value.is_object() && !value.is(Kind::Class) &&
      interp.class_of(value)->lookup(getitem)) {
    return iterate_by_index(value);
  }
  return {};
}

}  // namespace

Ref<Iterator> builtin_iterate(Interpreter& interp, const Value& value) {
  if (!value.is_object()) {
    return {};
  }
  switch (value.object()->kind) {
    case Kind::List:
      return iterate_items<List>(interp, value);
    case Kind::Tuple:
      return iterate_items<Tuple>(interp, value);
    case Kind::Range:
      return iterate_range(value);
    case Kind::Dict:
      return iterate_dict(Ref<Dict>(value.get<Dict>()), DictView::What::Keys);
    case Kind::Set:
      return iterate_dict(value.get<Set>()->items, DictView::What::Keys);
    case Kind::Str:
      return iterate_text(value);
    case Kind::Bytes: {
      Ref<Bytes> source(value.get<Bytes>());
      return make<Iterator>(
          [source, i = size_t{0}](Interpreter&) mutable -> Value {
            return i < source->data.size()
                       ? Value::integer(
                             static_cast<unsigned char>(source->data[i++]))
                       : Value();
          });
    }
    case Kind::Iterator:
      return Ref<Iterator>(value.get<Iterator>());
    case Kind::Opaque:
      if (DictView* view = as_view(interp, value)) {
        return iterate_dict(view->dict, view->what);
      }
      return {};
    default:
      return {};
  }
}

Ref<Iterator> Interpreter::iterate(const Value& value) {
  static const Symbol iter("__iter__");
  if (value.is_object() && !overrides(*this, value.object(), iter)) {
    if (Ref<Iterator> it = builtin_iterate(*this, value)) {
      return it;
    }
  }
  if (Ref<Iterator> it = iterate_special(*this, value)) {
    return it;
  }
  raise(
      "TypeError",
      fmt::format("'{}' object is not iterable", type_name(*this, value)));
}

void Interpreter::for_each(
    const Value& value,
    const std::function<void(Value)>& body) {
  // Ranges, the commonest loop, without an iterator object.
  if (value.is(Kind::Range) && !value.get<Range>()->stop_provenance) {
    const Range& r = *value.get<Range>();
    const int64_t count = r.size();
    for (int64_t i = 0; i < count; ++i) {
      charge();
      body(Value::integer(r.start + i * r.step));
    }
    return;
  }
  Ref<Iterator> it = iterate(value);
  for (Value v = it->next(*this); v.defined(); v = it->next(*this)) {
    charge();
    body(std::move(v));
  }
}

std::vector<Value> Interpreter::to_vector(const Value& value) {
  if (is_plain(*this, value) && !value.provenance()) {
    if (value.is(Kind::List)) {
      return value.get<List>()->items;
    }
    if (value.is(Kind::Tuple)) {
      return value.get<Tuple>()->items;
    }
  }
  std::vector<Value> out;
  if (value.is(Kind::Range)) {
    check_items(*this, value.get<Range>()->size());
  }
  for_each(value, [&](Value v) {
    out.push_back(std::move(v));
    if ((out.size() & 0xFFFF) == 0) {
      check_items(*this, out.size());
    }
  });
  return out;
}

}  // namespace portwright::eval

// + * % | & - ^ of strings, sequences, sets and dicts.

#include "eval/dispatch.h"
#include "eval/views.h"

namespace portwright::eval {

namespace {

template <typename T>
std::vector<Value>
repeated(Interpreter& interp, const T& source, int64_t count) {
  std::vector<Value> out;
  if (count <= 0 || source.items.empty()) {
    return out;
  }
  check_items(interp, static_cast<uint64_t>(count) * source.items.size());
  out.reserve(source.items.size() * count);
  for (int64_t i = 0; i < count; ++i) {
    out.insert(out.end(), source.items.begin(), source.items.end());
  }
  return out;
}

std::string
repeated(Interpreter& interp, const std::string& text, int64_t count) {
  std::string out;
  if (count > 0) {
    check_items(interp, static_cast<uint64_t>(count) * text.size());
    out.reserve(text.size() * count);
  }
  for (int64_t i = 0; i < count; ++i) {
    out += text;
  }
  return out;
}

template <typename T>
std::vector<Value> joined(const T& a, const T& b) {
  std::vector<Value> out;
  out.reserve(a.items.size() + b.items.size());
  out.insert(out.end(), a.items.begin(), a.items.end());
  out.insert(out.end(), b.items.begin(), b.items.end());
  return out;
}

Value repeat(Interpreter& interp, const Value& a, const Value& count) {
  if (!count.is_integral()) {
    return {};
  }
  const int64_t n = count.as_int();
  switch (a.object()->kind) {
    case Kind::Str:
      return str(repeated(interp, a.str(), n));
    case Kind::Bytes:
      return Value(make<Bytes>(repeated(interp, a.get<Bytes>()->data, n)));
    case Kind::List:
      return list(repeated(interp, *a.get<List>(), n));
    case Kind::Tuple:
      return tuple(repeated(interp, *a.get<Tuple>(), n));
    default:
      return {};
  }
}

Value add(Interpreter& interp, const Value& a, const Value& b) {
  if (!a.is_object() || !b.is_object() ||
      a.object()->kind != b.object()->kind) {
    return {};
  }
  switch (a.object()->kind) {
    case Kind::Str:
      check_items(interp, a.str().size() + b.str().size());
      return str(a.str() + b.str());
    case Kind::Bytes:
      return Value(make<Bytes>(a.get<Bytes>()->data + b.get<Bytes>()->data));
    case Kind::List:
      check_items(
          interp, a.get<List>()->items.size() + b.get<List>()->items.size());
      return list(joined(*a.get<List>(), *b.get<List>()));
    case Kind::Tuple:
      return tuple(joined(*a.get<Tuple>(), *b.get<Tuple>()));
    default:
      return {};
  }
}

void store(Interpreter& interp, Dict& target, const Dict& source) {
  for (const Dict::Entry& e : source.entries()) {
    if (e.key.defined()) {
      target.set(interp, e.key, e.value);
    }
  }
}

// a op b for the keys of two dicts.
Ref<Dict> combine_keys(Interpreter& interp, Operator op, Dict& a, Dict& b) {
  Ref<Dict> out = dict();
  const auto keep = [&](const Dict& from, Dict& other, bool present) {
    for (const Dict::Entry& e : from.entries()) {
      if (e.key.defined() &&
          (other.find(interp, e.key) != nullptr) == present) {
        out->set(interp, e.key, Value::none());
      }
    }
  };
  switch (op) {
    case Operator::And:
      keep(a, b, true);
      break;
    case Operator::Sub:
      keep(a, b, false);
      break;
    case Operator::Xor:
      keep(a, b, false);
      keep(b, a, false);
      break;
    default:
      store(interp, *out, a);
      store(interp, *out, b);
  }
  return out;
}

bool is_set_operator(Operator op) {
  return op == Operator::And || op == Operator::Or || op == Operator::Sub ||
         op == Operator::Xor;
}

bool is_set_like(Interpreter& interp, const Value& v) {
  if (v.is(Kind::Set)) {
    return true;
  }
  const DictView* view = as_view(interp, v);
  return view && view->what != DictView::What::Values;
}

}  // namespace

Value container_binary(
    Interpreter& interp,
    Operator op,
    const Value& a,
    const Value& b) {
  switch (op) {
    case Operator::Add:
      return add(interp, a, b);
    case Operator::Mul:
      return a.is_object() ? repeat(interp, a, b) : repeat(interp, b, a);
    case Operator::Mod:
      return a.is_str() ? str(percent_format(interp, a.str(), b)) : Value();
    default:
      break;
  }
  if (op == Operator::Or && a.is(Kind::Dict) && b.is(Kind::Dict)) {
    Ref<Dict> out = dict();
    store(interp, *out, *a.get<Dict>());
    store(interp, *out, *b.get<Dict>());
    return Value(out);
  }
  if (is_set_operator(op) && is_set_like(interp, a) && is_set_like(interp, b)) {
    const Ref<Set> left = to_set(interp, a);
    const Ref<Set> right = to_set(interp, b);
    Ref<Set> out = make<Set>();
    if (a.is(Kind::Set)) {
      out->cls = builtin_class(interp, a.object());
    }
    out->items = combine_keys(interp, op, *left->items, *right->items);
    return Value(out);
  }
  return {};
}

Value container_in_place(
    Interpreter& interp,
    Operator op,
    const Value& a,
    const Value& b) {
  switch (a.object()->kind) {
    case Kind::List: {
      List& target = *a.get<List>();
      if (op == Operator::Add) {
        std::vector<Value> more = interp.to_vector(b);
        check_items(interp, target.items.size() + more.size());
        target.items.insert(target.items.end(), more.begin(), more.end());
        return a;
      }
      if (op == Operator::Mul && b.is_integral()) {
        target.items = repeated(interp, target, b.as_int());
        return a;
      }
      return {};
    }
    case Kind::Dict:
      if (op == Operator::Or) {
        interp.call_method(a, "update", {b});
        return a;
      }
      return {};
    case Kind::Set:
      if (is_set_operator(op) && is_set_like(interp, b) &&
          !a.object()->cls->is_subclass_of(interp.types.frozenset)) {
        const Ref<Set> right = to_set(interp, b);
        Set& target = *a.get<Set>();
        target.items = combine_keys(interp, op, *target.items, *right->items);
        return a;
      }
      return {};
    default:
      return {};
  }
}

}  // namespace portwright::eval

// set and frozenset.

#include "eval/builtins/support.h"
#include "eval/views.h"

namespace portwright::eval {

namespace {

// self.union(*others) and the like: a new set of self's class.
Value fold(Interpreter& in, Args a, Operator op) {
  const Set& self = as_set(in, a[0]);
  Ref<Set> out = make<Set>();
  update_dict(in, *out->items, Value(self.items));
  for (const Value& other : rest(a[1])) {
    const Value right(to_set(in, other));
    const Value next = container_binary(in, op, Value(out), right);
    out = Ref<Set>(next.get<Set>());
  }
  out->cls = builtin_class(in, a[0].object());
  return Value(out);
}

Value fold_in_place(Interpreter& in, Args a, Operator op) {
  const Value result = fold(in, a, op);
  as_set(in, a[0]).items = result.get<Set>()->items;
  return Value::none();
}

void install_shared(Class* cls) {
  constexpr std::pair<const char*, Operator> folds[] = {
      {"union", Operator::Or},
      {"intersection", Operator::And},
      {"difference", Operator::Sub},
      {"symmetric_difference", Operator::Xor}};
  for (const auto& [name, op] : folds) {
    cls->def(
        std::string(name) + "(self, *others)",
        [op = op](Interpreter& in, Args a) { return fold(in, a, op); });
  }
  cls->def("copy(self)", [](Interpreter& in, Args a) -> Value {
    Value none = tuple({});
    Value args[] = {a[0], none};
    return fold(in, args, Operator::Or);
  });
  constexpr std::tuple<const char*, Comparison> tests[] = {
      {"issubset", Comparison::Le}, {"issuperset", Comparison::Ge}};
  for (const auto& [name, op] : tests) {
    cls->def(
        std::string(name) + "(self, other)",
        [op = op](Interpreter& in, Args a) -> Value {
          as_set(in, a[0]);
          return builtin_compare(in, op, a[0], Value(to_set(in, a[1])));
        });
  }
  cls->def("isdisjoint(self, other)", [](Interpreter& in, Args a) -> Value {
    Dict& items = *as_set(in, a[0]).items;
    bool disjoint = true;
    in.for_each(
        a[1], [&](Value v) { disjoint = disjoint && !items.find(in, v); });
    return Value::boolean(disjoint);
  });
}

void install_mutation(Class* cls) {
  constexpr std::pair<const char*, Operator> updates[] = {
      {"update", Operator::Or},
      {"intersection_update", Operator::And},
      {"difference_update", Operator::Sub},
      {"symmetric_difference_update", Operator::Xor}};
  for (const auto& [name, op] : updates) {
    cls->def(
        std::string(name) + "(self, *others)",
        [op = op](Interpreter& in, Args a) {
          return fold_in_place(in, a, op);
        });
  }
  cls->def("add(self, item, /)", [](Interpreter& in, Args a) -> Value {
    as_set(in, a[0]).items->set(in, a[1], Value::none());
    return Value::none();
  });
  cls->def("discard(self, item, /)", [](Interpreter& in, Args a) -> Value {
    as_set(in, a[0]).items->erase(in, a[1]);
    return Value::none();
  });
  cls->def("remove(self, item, /)", [](Interpreter& in, Args a) -> Value {
    if (!as_set(in, a[0]).items->erase(in, a[1])) {
      raise_with(in, "KeyError", {a[1]});
    }
    return Value::none();
  });
  cls->def("pop(self)", [](Interpreter& in, Args a) -> Value {
    Dict& items = *as_set(in, a[0]).items;
    for (const Dict::Entry& e : items.entries()) {
      if (e.key.defined()) {
        const Value key = e.key;
        items.erase(in, key);
        return key;
      }
    }
    raise_with(in, "KeyError", {str("pop from an empty set")});
  });
  cls->def("clear(self)", [](Interpreter& in, Args a) -> Value {
    as_set(in, a[0]).items->remove_all();
    return Value::none();
  });
}

}  // namespace

void install_set(Interpreter& interp) {
  Class* set = interp.types.set;
  set->def(
      "__init__(self, iterable=(), /)", [](Interpreter& in, Args a) -> Value {
        Ref<Dict> items = dict();
        in.for_each(a[1], [&](Value v) { items->set(in, v, Value::none()); });
        as_set(in, a[0]).items = items;
        return Value::none();
      });
  interp.types.frozenset->def_static(
      "__new__(cls, iterable=(), /)", [](Interpreter& in, Args a) -> Value {
        Ref<Set> out = make<Set>();
        out->cls = &as_class(in, a[0]);
        in.for_each(
            a[1], [&](Value v) { out->items->set(in, v, Value::none()); });
        return Value(out);
      });
  install_shared(set);
  install_shared(interp.types.frozenset);
  install_mutation(set);
}

}  // namespace portwright::eval

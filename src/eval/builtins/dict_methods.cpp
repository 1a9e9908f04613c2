// dict and its views.

#include "eval/builtins/support.h"
#include "eval/dispatch.h"
#include "eval/views.h"

namespace portwright::eval {

namespace {

Value view_of(Interpreter& in, const Value& self, DictView::What what) {
  return Value(make<DictView>(in, Ref<Dict>(&as_dict(in, self)), what));
}

Value dict_get(Interpreter& in, Args a) {
  const Value* found = as_dict(in, a[0]).find(in, a[1]);
  // What stands in for a missing key came from there as well.
  return indexed(in, found ? *found : a[2], a[0], a[1]);
}

Value dict_pop(Interpreter& in, Args a) {
  Dict& self = as_dict(in, a[0]);
  if (Value* found = self.find(in, a[1])) {
    Value v = *found;
    self.erase(in, a[1]);
    return v;
  }
  if (a[2].defined()) {
    return a[2];
  }
  raise_with(in, "KeyError", {a[1]});
}

Value dict_popitem(Interpreter& in, Args a) {
  Dict& self = as_dict(in, a[0]);
  for (size_t i = self.entries().size(); i-- > 0;) {
    const Dict::Entry e = self.entries()[i];
    if (e.key.defined()) {
      self.erase(in, e.key);
      return tuple({e.key, e.value});
    }
  }
  raise_with(in, "KeyError", {str("popitem(): dictionary is empty")});
}

Value dict_setdefault(Interpreter& in, Args a) {
  Dict& self = as_dict(in, a[0]);
  if (const Value* found = self.find(in, a[1])) {
    return *found;
  }
  self.set(in, a[1], a[2]);
  return a[2];
}

void store_all(Interpreter& in, const Value& self, Args a) {
  Dict& target = as_dict(in, self);
  if (a[0].defined()) {
    update_dict(in, target, a[0]);
  }
  update_dict(in, target, a[1]);
}

Value dict_fromkeys(Interpreter& in, Args a) {
  const Value out = in.call(a[0]);
  in.for_each(a[1], [&](Value key) { in.setitem(out, key, a[2]); });
  return out;
}

Value dict_copy(Interpreter& in, Args a) {
  Ref<Dict> out = dict();
  update_dict(in, *out, a[0]);
  return Value(out);
}

Object* checked_view(Interpreter& in, const Value& v) {
  DictView* view = as_view(in, v);
  if (!view) {
    in.raise("TypeError", "expected a dict view");
  }
  return view;
}

}  // namespace

void install_dict(Interpreter& interp) {
  Class* cls = interp.types.dict;
  cls->def(
      "__init__(self, source=..., /, **kwargs)", [](Interpreter& in, Args a) {
        store_all(in, a[0], a.subspan(1));
        return Value::none();
      });
  cls->def(
      "update(self, source=..., /, **kwargs)", [](Interpreter& in, Args a) {
        store_all(in, a[0], a.subspan(1));
        return Value::none();
      });
  cls->def("get(self, key, default=None, /)", dict_get);
  cls->def("pop(self, key, default=..., /)", dict_pop);
  cls->def("popitem(self)", dict_popitem);
  cls->def("setdefault(self, key, default=None, /)", dict_setdefault);
  cls->def("clear(self)", [](Interpreter& in, Args a) {
    as_dict(in, a[0]).remove_all();
    return Value::none();
  });
  cls->def("copy(self)", dict_copy);
  cls->def("keys(self)", [](Interpreter& in, Args a) {
    return view_of(in, a[0], DictView::What::Keys);
  });
  cls->def("values(self)", [](Interpreter& in, Args a) {
    return view_of(in, a[0], DictView::What::Values);
  });
  cls->def("items(self)", [](Interpreter& in, Args a) {
    return view_of(in, a[0], DictView::What::Items);
  });
  cls->def("__reversed__(self)", [](Interpreter& in, Args a) -> Value {
    std::vector<Value> keys;
    for (const Dict::Entry& e : as_dict(in, a[0]).entries()) {
      if (e.key.defined()) {
        keys.push_back(e.key);
      }
    }
    std::reverse(keys.begin(), keys.end());
    return Value(in.iterate(list(std::move(keys))));
  });
  cls->def_class("fromkeys(cls, iterable, value=None, /)", dict_fromkeys);
}

void install_dict_views(Interpreter& interp) {
  Types& t = interp.types;
  const auto define = [&](const char* name) {
    return interp.define_class(name, {}, Kind::Opaque, "collections.abc");
  };
  t.dict_keys = define("dict_keys");
  t.dict_values = define("dict_values");
  t.dict_items = define("dict_items");
  for (Class* cls : {t.dict_keys, t.dict_values, t.dict_items}) {
    cls->def("__len__(self)", [](Interpreter& in, Args a) -> Value {
      return Value::integer(in.length(a[0]));
    });
    cls->def("__iter__(self)", [](Interpreter& in, Args a) -> Value {
      return Value(in.iterate(Value(checked_view(in, a[0]))));
    });
    cls->def("__contains__(self, item)", [](Interpreter& in, Args a) -> Value {
      return Value::boolean(builtin_contains(in, a[0], a[1]) > 0);
    });
    cls->def("__reversed__(self)", [](Interpreter& in, Args a) -> Value {
      std::vector<Value> items = in.to_vector(a[0]);
      std::reverse(items.begin(), items.end());
      return Value(in.iterate(list(std::move(items))));
    });
  }
  constexpr std::pair<const char*, Operator> operators[] = {
      {"and", Operator::And},
      {"or", Operator::Or},
      {"sub", Operator::Sub},
      {"xor", Operator::Xor}};
  for (Class* cls : {t.dict_keys, t.dict_items}) {
    for (const auto& [name, op] : operators) {
      const auto body = [op = op](bool reflected) {
        return [op, reflected](Interpreter& in, Args a) -> Value {
          const Value self(to_set(in, a[0])), other(to_set(in, a[1]));
          return container_binary(
              in, op, reflected ? other : self, reflected ? self : other);
        };
      };
      cls->def(fmt::format("__{}__(self, other)", name), body(false));
      cls->def(fmt::format("__r{}__(self, other)", name), body(true));
    }
    cls->def("isdisjoint(self, other)", [](Interpreter& in, Args a) -> Value {
      bool disjoint = true;
      in.for_each(a[1], [&](Value v) {
        disjoint = disjoint && builtin_contains(in, a[0], v) <= 0;
      });
      return Value::boolean(disjoint);
    });
    constexpr std::pair<const char*, Comparison> comparisons[] = {
        {"__eq__", Comparison::Eq},
        {"__lt__", Comparison::Lt},
        {"__le__", Comparison::Le},
        {"__gt__", Comparison::Gt},
        {"__ge__", Comparison::Ge}};
    for (const auto& [name, op] : comparisons) {
      cls->def(
          std::string(name) + "(self, other)",
          [op = op](Interpreter& in, Args a) -> Value {
            const Value r = builtin_compare(in, op, a[0], a[1]);
            return r.defined() ? r : Value::not_implemented();
          });
    }
  }
}

}  // namespace portwright::eval

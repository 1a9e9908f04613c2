// list and tuple: construction and methods.

#include "eval/builtins/support.h"

namespace portwright::eval {

namespace {

template <typename Items>
Value index_of(Interpreter& in, const Items& owner, Args a, const char* what) {
  const int64_t size = static_cast<int64_t>(owner.items.size());
  const auto clip = [&](int64_t i) {
    return std::clamp<int64_t>(i < 0 ? i + size : i, 0, size);
  };
  const int64_t begin = a[2].defined() ? clip(as_index(in, a[2])) : 0;
  const int64_t end = a[3].defined() ? clip(as_index(in, a[3])) : size;
  for (int64_t i = begin;
       i < end && i < static_cast<int64_t>(owner.items.size());
       ++i) {
    const Value item = owner.items[i];
    if (in.equal(item, a[1])) {
      return Value::integer(i);
    }
  }
  in.raise(
      "ValueError",
      what[0] == 'l' ? in.repr(a[1]) + " is not in list"
                     : "tuple.index(x): x not in tuple");
}

template <typename Items>
Value count_of(Interpreter& in, const Items& owner, const Value& wanted) {
  int64_t n = 0;
  for (size_t i = 0; i < owner.items.size(); ++i) {
    const Value item = owner.items[i];
    n += in.equal(item, wanted);
  }
  return Value::integer(n);
}

Value list_pop(Interpreter& in, Args a) {
  int64_t i = as_index(in, a[1]);
  auto& items = as_list(in, a[0]).items;
  if (items.empty()) {
    in.raise("IndexError", "pop from empty list");
  }
  i = i < 0 ? i + static_cast<int64_t>(items.size()) : i;
  if (i < 0 || i >= static_cast<int64_t>(items.size())) {
    in.raise("IndexError", "pop index out of range");
  }
  Value v = std::move(items[i]);
  items.erase(items.begin() + i);
  return v;
}

Value list_insert(Interpreter& in, Args a) {
  int64_t i = as_index(in, a[1]);  // may run code that changes the list
  auto& items = as_list(in, a[0]).items;
  const int64_t size = static_cast<int64_t>(items.size());
  i = std::clamp<int64_t>(i < 0 ? i + size : i, 0, size);
  items.insert(items.begin() + i, a[2]);
  return Value::none();
}

Value list_remove(Interpreter& in, Args a) {
  List& self = as_list(in, a[0]);
  for (size_t i = 0; i < self.items.size(); ++i) {
    const Value item = self.items[i];
    if (in.equal(item, a[1])) {
      self.items.erase(self.items.begin() + i);
      return Value::none();
    }
  }
  in.raise("ValueError", "list.remove(x): x not in list");
}

void install_list_methods(Class* cls) {
  cls->def("__init__(self, iterable=(), /)", [](Interpreter& in, Args a) {
    std::vector<Value> items = in.to_vector(a[1]);
    as_list(in, a[0]).items = std::move(items);
    return Value::none();
  });
  cls->def("append(self, item, /)", [](Interpreter& in, Args a) {
    auto& items = as_list(in, a[0]).items;
    if ((items.size() & 0xFFFF) == 0xFFFF) {
      check_items(in, items.size());
    }
    items.push_back(a[1]);
    return Value::none();
  });
  cls->def("extend(self, iterable, /)", [](Interpreter& in, Args a) {
    as_list(in, a[0]);
    container_in_place(in, Operator::Add, a[0], a[1]);
    return Value::none();
  });
  cls->def("insert(self, index, item, /)", list_insert);
  cls->def("pop(self, index=-1, /)", list_pop);
  cls->def("remove(self, item, /)", list_remove);
  cls->def("clear(self)", [](Interpreter& in, Args a) {
    std::exchange(as_list(in, a[0]).items, {});
    return Value::none();
  });
  cls->def("copy(self)", [](Interpreter& in, Args a) {
    return list(as_list(in, a[0]).items);
  });
  cls->def(
      "index(self, item, start=..., stop=..., /)", [](Interpreter& in, Args a) {
        return index_of(in, as_list(in, a[0]), a, "list");
      });
  cls->def("count(self, item, /)", [](Interpreter& in, Args a) {
    return count_of(in, as_list(in, a[0]), a[1]);
  });
  cls->def("reverse(self)", [](Interpreter& in, Args a) {
    auto& items = as_list(in, a[0]).items;
    std::reverse(items.begin(), items.end());
    return Value::none();
  });
  cls->def(
      "sort(self, *, key=None, reverse=False)", [](Interpreter& in, Args a) {
        std::vector<Value> items = as_list(in, a[0]).items;
        sort_values(in, items, a[1], in.truthy(a[2]));
        as_list(in, a[0]).items = std::move(items);
        return Value::none();
      });
}

void install_tuple_methods(Class* cls) {
  cls->def_static("__new__(cls, iterable=(), /)", [](Interpreter& in, Args a) {
    Class& wanted = as_class(in, a[0]);
    if (&wanted == in.types.tuple && a[1].is(Kind::Tuple) &&
        is_plain(in, a[1])) {
      return a[1];
    }
    Ref<Tuple> out = make<Tuple>(in.to_vector(a[1]));
    out->cls = &wanted;
    return Value(out);
  });
  cls->def(
      "index(self, item, start=..., stop=..., /)", [](Interpreter& in, Args a) {
        return index_of(in, as_tuple(in, a[0]), a, "tuple");
      });
  cls->def("count(self, item, /)", [](Interpreter& in, Args a) {
    return count_of(in, as_tuple(in, a[0]), a[1]);
  });
}

}  // namespace

void install_list(Interpreter& interp) {
  install_list_methods(interp.types.list);
  install_tuple_methods(interp.types.tuple);
}

}  // namespace portwright::eval

// len, range, enumerate, zip, map, sorted and the like.

#include "eval/builtins/support.h"
#include "eval/views.h"

namespace portwright::eval {

namespace {

Value length_function(Interpreter& in, Args a) {
  Value n = Value::integer(in.length(a[0]));
  if (!a[0].provenance() || !in.track_provenance) {
    return n;
  }
  return n.with(in.provenance(
      {.kind = Provenance::Kind::Length, .left = a[0].provenance()}));
}

Value make_range(Interpreter& in, Args a) {
  const bool single = !a[2].defined();
  const Value& stop = single ? a[1] : a[2];
  const int64_t step = a[3].defined() ? as_index(in, a[3]) : 1;
  if (step == 0) {
    in.raise("ValueError", "range() arg 3 must not be zero");
  }
  Ref<Range> out =
      make<Range>(single ? 0 : as_index(in, a[1]), as_index(in, stop), step);
  out->stop_provenance = in.track_provenance ? stop.provenance() : nullptr;
  return Value(out);
}

Value enumerate(Interpreter& in, Args a) {
  Ref<Iterator> it = in.iterate(a[0]);
  const int64_t start = as_index(in, a[1]);
  const Provenance* upper =
      a[0].provenance() && in.track_provenance
          ? in.provenance(
                {.kind = Provenance::Kind::Length, .left = a[0].provenance()})
          : nullptr;
  // A list of modules is as long as the config says.
  const bool counts = upper || (a[0].is(Kind::Instance) && in.track_provenance);
  return Value(make<Iterator>(
      [it, upper, counts, i = start](Interpreter& interp) mutable -> Value {
        Value item = it->next(interp);
        if (!item.defined()) {
          return {};
        }
        Value index = Value::integer(i);
        if (counts) {
          index = index.with(interp.provenance(
              {.kind = Provenance::Kind::Loop, .integer = i, .left = upper}));
        }
        ++i;
        return tuple({std::move(index), std::move(item)});
      }));
}

std::vector<Ref<Iterator>> iterate_all(
    Interpreter& in,
    const std::vector<Value>& values) {
  std::vector<Ref<Iterator>> out;
  for (const Value& v : values) {
    out.push_back(in.iterate(v));
  }
  return out;
}

void check_equal_lengths(
    Interpreter& in,
    const std::vector<Ref<Iterator>>& its,
    size_t ended) {
  const auto fail = [&](size_t i, const char* word) {
    in.raise(
        "ValueError",
        fmt::format(
            "zip() argument {} is {} than argument{}{}",
            i + 1,
            word,
            i > 1 ? "s 1-" : " ",
            i));
  };
  if (ended > 0) {
    fail(ended, "shorter");
  }
  for (size_t i = 1; i < its.size(); ++i) {
    if (its[i]->next(in).defined()) {
      fail(i, "longer");
    }
  }
}

Value zip(Interpreter& in, Args a) {
  auto its = iterate_all(in, rest(a[0]));
  const bool strict = in.truthy(a[1]);
  return Value(make<Iterator>([its, strict](Interpreter& interp) -> Value {
    if (its.empty()) {
      return {};
    }
    std::vector<Value> items;
    items.reserve(its.size());
    for (size_t i = 0; i < its.size(); ++i) {
      Value v = its[i]->next(interp);
      if (!v.defined()) {
        if (strict) {
          check_equal_lengths(interp, its, i);
        }
        return {};
      }
      items.push_back(std::move(v));
    }
    return tuple(std::move(items));
  }));
}

Value map(Interpreter& in, Args a) {
  auto its = iterate_all(in, rest(a[1]));
  return Value(
      make<Iterator>([its, function = a[0]](Interpreter& interp) -> Value {
        std::vector<Value> items;
        for (const auto& it : its) {
          Value v = it->next(interp);
          if (!v.defined()) {
            return {};
          }
          items.push_back(std::move(v));
        }
        return interp.call(function, std::move(items));
      }));
}

Value filter(Interpreter& in, Args a) {
  Ref<Iterator> it = in.iterate(a[1]);
  return Value(
      make<Iterator>([it, function = a[0]](Interpreter& interp) -> Value {
        for (Value v = it->next(interp); v.defined(); v = it->next(interp)) {
          interp.charge();
          if (interp.truthy(
                  function.is_none() ? v : interp.call(function, {v}))) {
            return v;
          }
        }
        return {};
      }));
}

Value reversed(Interpreter& in, Args a) {
  static const Symbol name("__reversed__");
  const Value& source = a[0];
  if (source.is_object() && !is_plain(in, source)) {
    if (Value r = call_special(in, source, name); r.defined()) {
      return r;
    }
  }
  if (source.is(Kind::Dict) || source.is(Kind::Str) || as_view(in, source)) {
    std::vector<Value> items = in.to_vector(source);
    std::reverse(items.begin(), items.end());
    return Value(in.iterate(list(std::move(items))));
  }
  if (source.is(Kind::Set) || source.is(Kind::Iterator)) {
    in.raise(
        "TypeError",
        fmt::format("'{}' object is not reversible", type_name(in, source)));
  }
  return Value(make<Iterator>(
      [source, i = in.length(source)](Interpreter& interp) mutable -> Value {
        return --i < 0 ? Value() : interp.getitem(source, Value::integer(i));
      }));
}

Value sorted(Interpreter& in, Args a) {
  std::vector<Value> items = in.to_vector(a[0]);
  sort_values(in, items, a[1], in.truthy(a[2]));
  return list(std::move(items));
}

// any and all: the decision depends on every element looked at.
Value decide(Interpreter& in, const Value& source, bool wanted) {
  const char* op = wanted ? "or" : "and";
  Ref<Iterator> it = in.iterate(source);
  Value seen;  // of the elements with provenance, so far
  for (Value v = it->next(in); v.defined(); v = it->next(in)) {
    in.charge();
    const bool truth = in.truthy(v);
    if (v.provenance()) {
      seen = seen.defined() ? v.with(in.combine(op, seen, v)) : v;
    }
    if (truth == wanted) {
      return Value::boolean(wanted).with(
          seen.defined() ? seen.provenance() : nullptr);
    }
  }
  return Value::boolean(!wanted).with(
      seen.defined() ? seen.provenance() : nullptr);
}

Value iter(Interpreter& in, Args a) {
  if (a[1].defined()) {
    return Value(make<Iterator>(
        [function = a[0], sentinel = a[1]](Interpreter& interp) -> Value {
          Value v = interp.call(function);
          return interp.equal(v, sentinel) ? Value() : v;
        }));
  }
  static const Symbol iter_name("__iter__"), hook("__class_iter__");
  // A class's own iterator object stays itself: it may have more methods.
  if (a[0].is(Kind::Instance)) {
    Value r = call_special(in, a[0], iter_name);
    if (r.defined()) {
      return r;
    }
  }
  return Value(in.iterate(a[0]));
}

Value next(Interpreter& in, Args a) {
  Value v = advance(in, a[0]);
  if (v.defined()) {
    return v;
  }
  if (a[1].defined()) {
    return a[1];
  }
  raise_with(in, "StopIteration", {});
}

}  // namespace

void install_sequence_functions(Interpreter& interp) {
  ModuleObject& b = interp.builtins();
  b.def("len(obj, /)", length_function);
  interp.types.range->def_static(
      "__new__(cls, start, stop=..., step=..., /)", make_range);
  constexpr std::pair<const char*, int64_t Range::*> fields[] = {
      {"start", &Range::start}, {"stop", &Range::stop}, {"step", &Range::step}};
  for (const auto& [name, field] : fields) {
    interp.types.range->def_property(
        name, [field = field](Interpreter& in, Args a) -> Value {
          return Value::integer(as_range(in, a[0]).*field);
        });
  }
  b.def("enumerate(iterable, start=0)", enumerate);
  b.def("zip(*iterables, strict=False)", zip);
  b.def("map(function, *iterables)", map);
  b.def("filter(function, iterable, /)", filter);
  b.def("reversed(sequence, /)", reversed);
  b.def("sorted(iterable, /, *, key=None, reverse=False)", sorted);
  b.def("any(iterable, /)", [](Interpreter& in, Args a) -> Value {
    return decide(in, a[0], true);
  });
  b.def("all(iterable, /)", [](Interpreter& in, Args a) -> Value {
    return decide(in, a[0], false);
  });
  b.def("iter(iterable, sentinel=..., /)", iter);
  b.def("next(iterator, default=..., /)", next);
}

}  // namespace portwright::eval

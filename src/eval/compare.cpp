#include <array>
#include <cmath>

#include "eval/dispatch.h"
#include "eval/nesting.h"
#include "eval/views.h"
#include "eval/wide_integer.h"

namespace portwright::eval {

namespace {

bool holds(Comparison op, int order) {
  switch (op) {
    case Comparison::Eq:
      return order == 0;
    case Comparison::Ne:
      return order != 0;
    case Comparison::Lt:
      return order < 0;
    case Comparison::Le:
      return order <= 0;
    case Comparison::Gt:
      return order > 0;
    case Comparison::Ge:
      return order >= 0;
  }
  return false;
}

// -1, 0, 1; `f` is not NaN.
int compare_int_float(int64_t i, double f) {
  if (f >= 9223372036854775808.0) {
    return -1;
  }
  if (f < -9223372036854775808.0) {
    return 1;
  }
  const double whole = std::trunc(f);
  const int64_t w = static_cast<int64_t>(whole);
  if (i != w) {
    return i < w ? -1 : 1;
  }
  return f == whole ? 0 : (f > whole ? -1 : 1);
}

bool compare_numbers(Comparison op, const Value& a, const Value& b) {
  if (!a.is_float() && !b.is_float()) {
    const int64_t x = a.as_int(), y = b.as_int();
    return holds(op, x < y ? -1 : x > y);
  }
  const double x = a.as_double(), y = b.as_double();
  if (std::isnan(x) || std::isnan(y)) {
    return op == Comparison::Ne;
  }
  if (a.is_float() && b.is_float()) {
    return holds(op, x < y ? -1 : x > y);
  }
  return a.is_float() ? holds(op, -compare_int_float(b.as_int(), x))
                      : holds(op, compare_int_float(a.as_int(), y));
}

bool compare_wide_numbers(Comparison op, const Value& a, const Value& b) {
  if ((a.is_float() && std::isnan(a.as_double())) ||
      (b.is_float() && std::isnan(b.as_double()))) {
    return op == Comparison::Ne;
  }
  return holds(op, compare_wide(a, b));
}

bool identical_or_equal(Interpreter& interp, const Value& a, const Value& b) {
  return (a.is_object() && b.is_object() && a.object() == b.object()) ||
         interp.equal(a, b);
}

template <typename T>
Value compare_sequences(
    Interpreter& interp,
    Comparison op,
    const T& a,
    const T& b) {
  if (op <= Comparison::Ne && a.items.size() != b.items.size()) {
    return Value::boolean(op == Comparison::Ne);
  }
  const size_t n = std::min(a.items.size(), b.items.size());
  for (size_t i = 0; i < n && i < a.items.size() && i < b.items.size(); ++i) {
    const Value x = a.items[i], y = b.items[i];
    if (identical_or_equal(interp, x, y)) {
      continue;
    }
    if (op <= Comparison::Ne) {
      return Value::boolean(op == Comparison::Ne);
    }
    constexpr std::string_view spelling[] = {"==", "!=", "<", "<=", ">", ">="};
    return interp.compare(spelling[static_cast<int>(op)], x, y);
  }
  const size_t x = a.items.size(), y = b.items.size();
  return Value::boolean(holds(op, x < y ? -1 : x > y));
}

Value compare_dicts(Interpreter& interp, Comparison op, Dict& a, Dict& b) {
  if (op > Comparison::Ne) {
    return {};
  }
  bool same = a.size() == b.size();
  for (size_t i = 0; same && i < a.entries().size(); ++i) {
    const Dict::Entry e = a.entries()[i];
    if (e.key.defined()) {
      const Value* other = b.find(interp, e.key);
      same = other && identical_or_equal(interp, e.value, Value(*other));
    }
  }
  return Value::boolean(same == (op == Comparison::Eq));
}

bool is_subset(Interpreter& interp, Dict& a, Dict& b) {
  if (a.size() > b.size()) {
    return false;
  }
  for (const Dict::Entry& e : a.entries()) {
    if (e.key.defined() && !b.find(interp, e.key)) {
      return false;
    }
  }
  return true;
}

Value compare_sets(Interpreter& interp, Comparison op, Dict& a, Dict& b) {
  const bool equal_size = a.size() == b.size();
  switch (op) {
    case Comparison::Eq:
    case Comparison::Ne:
      return Value::boolean(
          (equal_size && is_subset(interp, a, b)) == (op == Comparison::Eq));
    case Comparison::Le:
      return Value::boolean(is_subset(interp, a, b));
    case Comparison::Lt:
      return Value::boolean(!equal_size && is_subset(interp, a, b));
    case Comparison::Ge:
      return Value::boolean(is_subset(interp, b, a));
    case Comparison::Gt:
      return Value::boolean(!equal_size && is_subset(interp, b, a));
  }
  return {};
}

Value compare_ranges(Comparison op, const Range& a, const Range& b) {
  if (op > Comparison::Ne) {
    return {};
  }
  const int64_t n = a.size();
  const bool same =
      n == b.size() &&
      (n == 0 || (a.start == b.start && (n == 1 || a.step == b.step)));
  return Value::boolean(same == (op == Comparison::Eq));
}

struct ComparisonNames {
  std::string_view spelling;
  Symbol name, reflected;
};

const ComparisonNames& names_of(Comparison op) {
  static const Symbol eq("__eq__"), ne("__ne__"), lt("__lt__"), le("__le__"),
      gt("__gt__"), ge("__ge__");
  static const std::array<ComparisonNames, 6> table = {
      {{"==", eq, eq},
       {"!=", ne, ne},
       {"<", lt, gt},
       {"<=", le, ge},
       {">", gt, lt},
       {">=", ge, le}}};
  return table[static_cast<size_t>(op)];
}

// The class's own method, unless that is object's (identity).
Value call_comparison(
    Interpreter& interp,
    Symbol name,
    const Value& self,
    const Value& other) {
  if (!self.is_object() || self.is(Kind::Function) || self.is(Kind::Native)) {
    return {};
  }
  Class* cls = interp.class_of(self);
  const Value* method = cls->lookup(name);
  if (!method || method == interp.types.object->lookup(name)) {
    return {};
  }
  Value r = call_special(interp, self, name, {other});
  return r.tag() == Tag::NotImplemented ? Value() : r;
}

Value special_compare(
    Interpreter& interp,
    Comparison op,
    const Value& a,
    const Value& b) {
  const ComparisonNames& names = names_of(op);
  Class* left = interp.class_of(a);
  Class* right = interp.class_of(b);
  const bool reflected_first = left != right && right->is_subclass_of(left);
  if (reflected_first) {
    Value r = call_comparison(interp, names.reflected, b, a);
    if (r.defined()) {
      return r;
    }
  }
  Value r = call_comparison(interp, names.name, a, b);
  if (!r.defined() && !reflected_first) {
    r = call_comparison(interp, names.reflected, b, a);
  }
  if (!r.defined() && op == Comparison::Ne) {
    // object.__ne__ inverts __eq__.
    r = special_compare(interp, Comparison::Eq, a, b);
    if (r.defined()) {
      return Value::boolean(!interp.truthy(r));
    }
  }
  return r;
}

Value rich_compare(
    Interpreter& interp,
    Comparison op,
    const Value& a,
    const Value& b) {
  Value r;
  const Nesting level(interp);
  const bool plain = is_plain(interp, a) && is_plain(interp, b);
  if (plain) {
    r = builtin_compare(interp, op, a, b);
  } else {
    r = special_compare(interp, op, a, b);
    if (!r.defined()) {
      r = builtin_compare(interp, op, a, b);
    }
  }
  if (r.defined()) {
    return r;
  }
  if (op <= Comparison::Ne) {
    const bool same = a.is_object() && b.is_object()
                          ? a.object() == b.object()
                          : a.tag() == b.tag() && a.same(b);
    return Value::boolean(same == (op == Comparison::Eq));
  }
  interp.raise(
      "TypeError",
      fmt::format(
          "'{}' not supported between instances of '{}' and '{}'",
          names_of(op).spelling,
          type_name(interp, a),
          type_name(interp, b)));
}

bool is_same(const Value& a, const Value& b) {
  if (a.is_object() && b.is_object()) {
    return a.object() == b.object() || a.same(b);
  }
  return a.same(b);
}

}  // namespace

Value builtin_compare(
    Interpreter& interp,
    Comparison op,
    const Value& a,
    const Value& b) {
  if (a.is_number() && b.is_number()) {
    return Value::boolean(compare_numbers(op, a, b));
  }
  if (is_numeric(interp, a) && is_numeric(interp, b)) {
    return Value::boolean(compare_wide_numbers(op, a, b));
  }
  if (!a.is_object() || !b.is_object()) {
    return {};
  }
  if (a.object()->kind != b.object()->kind) {
    const DictView* left = as_view(interp, a);
    const DictView* right = as_view(interp, b);
    if ((left || a.is(Kind::Set)) && (right || b.is(Kind::Set))) {
      return compare_sets(
          interp, op, *to_set(interp, a)->items, *to_set(interp, b)->items);
    }
    return {};
  }
  switch (a.object()->kind) {
    case Kind::Str: {
      const int order = a.str().compare(b.str());
      return Value::boolean(holds(op, order));
    }
    case Kind::Bytes:
      return Value::boolean(
          holds(op, a.get<Bytes>()->data.compare(b.get<Bytes>()->data)));
    case Kind::List:
      return compare_sequences(interp, op, *a.get<List>(), *b.get<List>());
    case Kind::Tuple:
      return compare_sequences(interp, op, *a.get<Tuple>(), *b.get<Tuple>());
    case Kind::Dict:
      return compare_dicts(interp, op, *a.get<Dict>(), *b.get<Dict>());
    case Kind::Set:
      return compare_sets(
          interp, op, *a.get<Set>()->items, *b.get<Set>()->items);
    case Kind::Range:
      return compare_ranges(op, *a.get<Range>(), *b.get<Range>());
    case Kind::Slice: {
      const Slice &x = *a.get<Slice>(), &y = *b.get<Slice>();
      return op > Comparison::Ne ? Value()
                                 : Value::boolean(
                                       (interp.equal(x.lower, y.lower) &&
                                        interp.equal(x.upper, y.upper) &&
                                        interp.equal(x.step, y.step)) ==
                                       (op == Comparison::Eq));
    }
    case Kind::BoundMethod: {
      const BoundMethod &x = *a.get<BoundMethod>(), &y = *b.get<BoundMethod>();
      return op > Comparison::Ne ? Value()
                                 : Value::boolean(
                                       (is_same(x.self, y.self) &&
                                        is_same(x.function, y.function)) ==
                                       (op == Comparison::Eq));
    }
    case Kind::Opaque:
      if (as_view(interp, a) && as_view(interp, b)) {
        return compare_sets(
            interp, op, *to_set(interp, a)->items, *to_set(interp, b)->items);
      }
      return {};
    default:
      return {};
  }
}

Value Interpreter::compare(
    std::string_view op,
    const Value& a,
    const Value& b) {
  Value result;
  const auto answer = [&](Value r) {
    return a.provenance() || b.provenance() ? r.with(combine(op, a, b)) : r;
  };
  if (op[0] == 'i') {
    return answer(Value::boolean(
        op == "in" ? contains(b, a) : is_same(a, b) == (op.size() == 2)));
  }
  if (op[0] == 'n') {
    return answer(Value::boolean(!contains(b, a)));
  }
  const bool with_equal = op.size() == 2;
  const Comparison code = op[0] == '='   ? Comparison::Eq
                          : op[0] == '!' ? Comparison::Ne
                          : op[0] == '<'
                              ? (with_equal ? Comparison::Le : Comparison::Lt)
                              : (with_equal ? Comparison::Ge : Comparison::Gt);
  if (a.is_number() && b.is_number()) {
    return answer(Value::boolean(compare_numbers(code, a, b)));
  }
  const bool equality = code == Comparison::Eq || code == Comparison::Ne;
  if (equality && a.is_str() && b.is_str() && a.object()->cls == types.str &&
      b.object()->cls == types.str) {
    return answer(
        Value::boolean((a.str() == b.str()) == (code == Comparison::Eq)));
  }
  Value r = rich_compare(*this, code, a, b);
  return r.is_bool() ? answer(std::move(r)) : r;
}

bool Interpreter::equal(const Value& a, const Value& b) {
  if (a.is_number() && b.is_number()) {
    return compare_numbers(Comparison::Eq, a, b);
  }
  if (!a.is_object() && !b.is_object()) {
    return a.tag() == b.tag();
  }
  if (a.is_str() && b.is_str() && a.object()->cls == types.str &&
      b.object()->cls == types.str) {
    return a.str() == b.str();
  }
  const Value r = rich_compare(*this, Comparison::Eq, a, b);
  return r.is_bool() ? r.as_bool() : truthy(r);
}

}  // namespace portwright::eval

#include "eval/dispatch.h"
#include "eval/generic_alias.h"
#include "eval/state.h"
#include "eval/utf8.h"
#include "eval/views.h"

namespace portwright::eval {

Value indexed(
    Interpreter& interp,
    Value element,
    const Value& container,
    const Value& index) {
  if (!container.provenance() || !interp.track_provenance) {
    return element;
  }
  return element.with(interp.provenance(
      {.kind = Provenance::Kind::Index,
       .left = container.provenance(),
       .right = interp.provenance_of(index)}));
}

namespace {

// Normalised and bounds-checked; `what` names the sequence in the message.
size_t position(
    Interpreter& interp,
    const Value& index,
    size_t size,
    std::string_view message) {
  int64_t i = as_index(interp, index);
  if (i < 0) {
    i += static_cast<int64_t>(size);
  }
  if (i < 0 || i >= static_cast<int64_t>(size)) {
    interp.raise("IndexError", std::string(message));
  }
  return static_cast<size_t>(i);
}

bool is_index(Interpreter& interp, const Value& index) {
  static const Symbol name("__index__");
  return index.is_integral() ||
         (index.is_object() && interp.class_of(index)->lookup(name));
}

void require_index(
    Interpreter& interp,
    const Value& index,
    std::string_view what) {
  if (!is_index(interp, index)) {
    interp.raise(
        "TypeError",
        fmt::format(
            "{} indices must be integers or slices, not {}",
            what,
            type_name(interp, index)));
  }
}

std::vector<Value> slice_items(
    Interpreter& interp,
    const std::vector<Value>& items,
    const Slice& slice) {
  const auto [start, step, count] =
      resolve_slice(interp, slice, static_cast<int64_t>(items.size()));
  std::vector<Value> out;
  out.reserve(count);
  for (int64_t i = 0, at = start; i < count; ++i, at += step) {
    out.push_back(items[at]);
  }
  return out;
}

Value list_item(Interpreter& interp, const Value& object, const Value& index) {
  const auto& items = object.get<List>()->items;
  if (index.is(Kind::Slice)) {
    Value r = list(slice_items(interp, items, *index.get<Slice>()));
    return indexed(interp, std::move(r), object, index);
  }
  require_index(interp, index, "list");
  const size_t i =
      position(interp, index, items.size(), "list index out of range");
  return indexed(interp, items[i], object, index);
}

Value tuple_item(Interpreter& interp, const Value& object, const Value& index) {
  const auto& items = object.get<Tuple>()->items;
  if (index.is(Kind::Slice)) {
    Ref<Tuple> out =
        make<Tuple>(slice_items(interp, items, *index.get<Slice>()));
    return indexed(interp, Value(out), object, index);
  }
  require_index(interp, index, "tuple");
  const size_t i =
      position(interp, index, items.size(), "tuple index out of range");
  return indexed(interp, items[i], object, index);
}

std::string
slice_text(Interpreter& interp, const std::string& text, const Slice& slice) {
  if (utf8::is_ascii(text)) {
    const auto [start, step, count] =
        resolve_slice(interp, slice, static_cast<int64_t>(text.size()));
    if (step == 1) {
      return text.substr(start, count);
    }
    std::string out;
    for (int64_t i = 0, at = start; i < count; ++i, at += step) {
      out += text[at];
    }
    return out;
  }
  const std::u32string wide = utf8::decode(text);
  const auto [start, step, count] =
      resolve_slice(interp, slice, static_cast<int64_t>(wide.size()));
  std::string out;
  for (int64_t i = 0, at = start; i < count; ++i, at += step) {
    utf8::append(out, wide[at]);
  }
  return out;
}

Value str_item(Interpreter& interp, const Value& object, const Value& index) {
  const std::string& text = object.str();
  if (index.is(Kind::Slice)) {
    return str(slice_text(interp, text, *index.get<Slice>()));
  }
  require_index(interp, index, "string");
  const size_t size = utf8::length(text);
  const size_t i = position(interp, index, size, "string index out of range");
  size_t at = size == text.size() ? i : utf8::offset_of(text, i);
  return str(utf8::encode(utf8::next(text, at)));
}

Value bytes_item(Interpreter& interp, const Value& object, const Value& index) {
  const std::string& data = object.get<Bytes>()->data;
  if (index.is(Kind::Slice)) {
    const auto [start, step, count] = resolve_slice(
        interp, *index.get<Slice>(), static_cast<int64_t>(data.size()));
    std::string out;
    for (int64_t i = 0, at = start; i < count; ++i, at += step) {
      out += data[at];
    }
    return Value(make<Bytes>(std::move(out)));
  }
  require_index(interp, index, "byte");
  const size_t i = position(interp, index, data.size(), "index out of range");
  return Value::integer(static_cast<unsigned char>(data[i]));
}

Value range_item(Interpreter& interp, const Value& object, const Value& index) {
  const Range& r = *object.get<Range>();
  if (index.is(Kind::Slice)) {
    const auto [start, step, count] =
        resolve_slice(interp, *index.get<Slice>(), r.size());
    const int64_t first = r.start + start * r.step;
    const int64_t stride = r.step * step;
    return Value(make<Range>(first, first + count * stride, stride));
  }
  require_index(interp, index, "range");
  const size_t i =
      position(interp, index, r.size(), "range object index out of range");
  return Value::integer(r.start + static_cast<int64_t>(i) * r.step);
}

Value dict_item(Interpreter& interp, const Value& object, const Value& index) {
  if (const Value* found = object.get<Dict>()->find(interp, index)) {
    const bool carries = !found->is_object() || found->is_str() ||
                         found->is(Kind::List) || found->is(Kind::Tuple);
    return carries && !found->provenance()
               ? indexed(interp, *found, object, index)
               : *found;
  }
  static const Symbol missing("__missing__");
  if (object.object()->cls != interp.types.dict) {
    Value r = call_special(interp, object, missing, {index});
    if (r.defined()) {
      return r;
    }
  }
  raise_with(interp, "KeyError", {index});
}

Value class_item(Interpreter& interp, const Value& cls, const Value& index) {
  static const Symbol hook("__class_getitem_hook__"), getitem("__getitem__"),
      class_getitem("__class_getitem__");
  Value r = call_class_hook(interp, cls, hook, getitem, {index});
  if (r.defined()) {
    return r;
  }
  if (cls.get<Class>()->lookup(class_getitem)) {
    return interp.call_method(cls, "__class_getitem__", {index});
  }
  // The builtin containers are generic, and so is what inherits from them.
  const auto& t = interp.types;
  const Class* self = cls.get<Class>();
  if (self->module == "builtins" || self->is_subclass_of(t.dict) ||
      self->is_subclass_of(t.list) || self->is_subclass_of(t.tuple) ||
      self->is_subclass_of(t.set) || self->is_subclass_of(t.frozenset)) {
    return make_alias(interp, cls, index);
  }
  interp.raise(
      "TypeError",
      fmt::format("type '{}' is not subscriptable", cls.get<Class>()->name));
}

// Replaces the selected items; an extended slice keeps the length.
void store_slice(
    Interpreter& interp,
    std::vector<Value>& items,
    const Slice& slice,
    std::vector<Value> values) {
  const auto [start, step, count] =
      resolve_slice(interp, slice, static_cast<int64_t>(items.size()));
  if (step == 1) {
    std::vector<Value> result(items.begin(), items.begin() + start);
    result.insert(result.end(), values.begin(), values.end());
    result.insert(result.end(), items.begin() + start + count, items.end());
    check_items(interp, result.size());
    items = std::move(result);
    return;
  }
  if (static_cast<int64_t>(values.size()) != count) {
    interp.raise(
        "ValueError",
        fmt::format(
            "attempt to assign sequence of size {} to extended slice of size "
            "{}",
            values.size(),
            count));
  }
  for (int64_t i = 0, at = start; i < count; ++i, at += step) {
    items[at] = std::move(values[i]);
  }
}

void erase_slice(
    Interpreter& interp,
    std::vector<Value>& items,
    const Slice& slice) {
  auto [start, step, count] =
      resolve_slice(interp, slice, static_cast<int64_t>(items.size()));
  if (step < 0) {
    start += step * (count - 1);
    step = -step;
  }
  std::vector<Value> kept;
  int64_t next = start;
  for (int64_t i = 0; i < static_cast<int64_t>(items.size()); ++i) {
    if (count > 0 && i == next) {
      next += step;
      --count;
    } else {
      kept.push_back(items[i]);
    }
  }
  items = std::move(kept);
}

}  // namespace

namespace {

// Indices as plain numbers: what computes them may change the sequence.
Value plain_index(Interpreter& interp, const Value& index) {
  const auto plain = [&](const Value& v) {
    return v.is_object() && is_index(interp, v)
               ? Value::integer(as_index(interp, v))
               : v;
  };
  if (index.is(Kind::Slice)) {
    const Slice& s = *index.get<Slice>();
    if (s.lower.is_object() || s.upper.is_object() || s.step.is_object()) {
      return Value(make<Slice>(plain(s.lower), plain(s.upper), plain(s.step)));
    }
    return index;
  }
  return plain(index);
}

}  // namespace

Value builtin_getitem(
    Interpreter& interp,
    const Value& object,
    const Value& given) {
  if (object.is(Kind::Dict)) {
    return dict_item(interp, object, given);
  }
  const Value index = given.is_object() ? plain_index(interp, given) : given;
  switch (object.object()->kind) {
    case Kind::List:
      return list_item(interp, object, index);
    case Kind::Tuple:
      return tuple_item(interp, object, index);
    case Kind::Str: {
      Value r = str_item(interp, object, index);
      return indexed(interp, std::move(r), object, index);
    }
    case Kind::Bytes:
      return bytes_item(interp, object, index);
    case Kind::Range:
      return range_item(interp, object, index);
    default:
      return {};
  }
}

bool builtin_setitem(
    Interpreter& interp,
    const Value& object,
    const Value& given,
    const Value& value) {
  if (object.is(Kind::Dict)) {
    object.get<Dict>()->set(interp, given, value);
    return true;
  }
  if (!object.is(Kind::List)) {
    return false;
  }
  const Value index = plain_index(interp, given);
  auto& items = object.get<List>()->items;
  if (index.is(Kind::Slice)) {
    std::vector<Value> values = interp.to_vector(value);
    store_slice(interp, items, *index.get<Slice>(), std::move(values));
    return true;
  }
  require_index(interp, index, "list");
  const size_t i = position(
      interp, index, items.size(), "list assignment index out of range");
  items[i] = value;
  return true;
}

bool builtin_delitem(
    Interpreter& interp,
    const Value& object,
    const Value& given) {
  if (object.is(Kind::Dict)) {
    if (!object.get<Dict>()->erase(interp, given)) {
      raise_with(interp, "KeyError", {given});
    }
    return true;
  }
  if (!object.is(Kind::List)) {
    return false;
  }
  const Value index = plain_index(interp, given);
  auto& items = object.get<List>()->items;
  if (index.is(Kind::Slice)) {
    erase_slice(interp, items, *index.get<Slice>());
    return true;
  }
  require_index(interp, index, "list");
  const size_t i = position(
      interp, index, items.size(), "list assignment index out of range");
  items.erase(items.begin() + i);
  return true;
}

int64_t builtin_length(const Value& value) {
  switch (value.object()->kind) {
    case Kind::List:
      return value.get<List>()->items.size();
    case Kind::Tuple:
      return value.get<Tuple>()->items.size();
    case Kind::Str:
      return utf8::length(value.str());
    case Kind::Bytes:
      return value.get<Bytes>()->data.size();
    case Kind::Dict:
      return value.get<Dict>()->size();
    case Kind::Set:
      return value.get<Set>()->items->size();
    case Kind::Range:
      return value.get<Range>()->size();
    default:
      return -1;
  }
}

namespace {

bool has_attribute(const Value& object, const Value& value) {
  const AttrMap* attrs = object.object()->attrs;
  return attrs && std::any_of(
                      attrs->entries().begin(),
                      attrs->entries().end(),
                      [&](const auto& entry) {
                        return entry.second.is_object() &&
                               entry.second.object() == value.object();
                      });
}

/// A config that a field of the config answers by index is one of several.
void mark_element(
    Interpreter& interp,
    const Value& element,
    const Value& container,
    const Value& index) {
  const Provenance* from = container.provenance();
  if (!from || from->kind != Provenance::Kind::Config ||
      !interp.track_provenance || !element.is(Kind::Instance) ||
      !element.object()->is_config ||
      !interp.state().config_paths[element.object()].empty() ||
      has_attribute(container, element)) {
    return;
  }
  const Provenance* chosen = interp.provenance_of(index);
  const auto layer = [](const Provenance& p) -> std::optional<std::string> {
    return p.kind == Provenance::Kind::Loop
               ? std::optional<std::string>("layer_idx")
               : std::nullopt;
  };
  interp.mark_config(
      element, from->name.str() + "[" + to_string(chosen, layer) + "]");
  interp.state().config_indices[element.object()] = chosen;
}

}  // namespace

Value Interpreter::getitem(const Value& object, const Value& index) {
  static const Symbol name("__getitem__");
  if (object.is_object()) {
    if (builtin_class(*this, object.object()) &&
        !overrides(*this, object.object(), name)) {
      Value r = builtin_getitem(*this, object, index);
      if (r.defined()) {
        return r;
      }
    }
    Value r = object.is(Kind::Class)
                  ? class_item(*this, object, index)
                  : call_special(*this, object, name, {index});
    if (r.defined()) {
      mark_element(*this, r, object, index);
      return r;
    }
  }
  raise(
      "TypeError",
      fmt::format(
          "'{}' object is not subscriptable", type_name(*this, object)));
}

void Interpreter::setitem(
    const Value& object,
    const Value& index,
    const Value& value) {
  static const Symbol name("__setitem__");
  if (object.is_object()) {
    if (builtin_class(*this, object.object()) &&
        !overrides(*this, object.object(), name) &&
        builtin_setitem(*this, object, index, value)) {
      return;
    }
    if (call_special(*this, object, name, {index, value}).defined()) {
      return;
    }
  }
  raise(
      "TypeError",
      fmt::format(
          "'{}' object does not support item assignment",
          type_name(*this, object)));
}

void Interpreter::delitem(const Value& object, const Value& index) {
  static const Symbol name("__delitem__");
  if (object.is_object()) {
    if (builtin_class(*this, object.object()) &&
        !overrides(*this, object.object(), name) &&
        builtin_delitem(*this, object, index)) {
      return;
    }
    if (call_special(*this, object, name, {index}).defined()) {
      return;
    }
  }
  raise(
      "TypeError",
      fmt::format(
          "'{}' object doesn't support item deletion",
          type_name(*this, object)));
}

int64_t Interpreter::length(const Value& value) {
  static const Symbol name("__len__"), class_len("__class_len__");
  if (value.is_object()) {
    if (builtin_class(*this, value.object()) &&
        !overrides(*this, value.object(), name)) {
      const int64_t n = builtin_length(value);
      if (n >= 0) {
        return n;
      }
    }
    if (const DictView* view = as_view(*this, value)) {
      return view->dict->size();
    }
    const Value r = value.is(Kind::Class)
                        ? call_class_hook(*this, value, class_len, name)
                        : call_special(*this, value, name);
    if (r.defined()) {
      const int64_t n = as_index(*this, r);
      if (n < 0) {
        raise("ValueError", "__len__() should return >= 0");
      }
      return n;
    }
  }
  raise(
      "TypeError",
      fmt::format("object of type '{}' has no len()", type_name(*this, value)));
}

}  // namespace portwright::eval

#include "eval/objects.h"

#include <bit>

#include "eval/state.h"

namespace portwright::eval {

thread_local ObjectList* ObjectList::current = nullptr;
thread_local Types* current_types = nullptr;

namespace {

Class* builtin_class(Kind kind) {
  const Types& t = *current_types;
  switch (kind) {
    case Kind::Str:
      return t.str;
    case Kind::Bytes:
      return t.bytes;
    case Kind::List:
      return t.list;
    case Kind::Tuple:
      return t.tuple;
    case Kind::Dict:
      return t.dict;
    case Kind::Set:
      return t.set;
    case Kind::Slice:
      return t.slice;
    case Kind::Range:
      return t.range;
    case Kind::Iterator:
      return t.iterator;
    case Kind::Function:
      return t.function;
    case Kind::Native:
      return t.builtin_function;
    case Kind::BoundMethod:
      return t.method;
    case Kind::Class:
      return t.type;
    case Kind::Module:
      return t.module;
    case Kind::Property:
      return t.property;
    case Kind::StaticMethod:
      return t.staticmethod;
    case Kind::ClassMethod:
      return t.classmethod;
    case Kind::Super:
      return t.super;
    case Kind::Cell:
      return t.cell;
    default:
      return t.object;
  }
}

}  // namespace

ObjectList::~ObjectList() {
  std::vector<Object*> all;
  for (Object* o = first_; o; o = o->next_) {
    all.push_back(o);
  }
  for (Object* o : all) {
    o->retain();
  }
  for (Object* o : all) {
    o->clear();
  }
  for (Object* o : all) {
    o->list_ = nullptr;  // whoever still refers to it frees it
  }
  for (Object* o : all) {
    o->release();
  }
}

void ObjectList::add(Object* object) {
  object->list_ = this;
  object->next_ = first_;
  if (first_) {
    first_->previous_ = object;
  }
  first_ = object;
}

void ObjectList::remove(Object* object) {
  if (object->previous_) {
    object->previous_->next_ = object->next_;
  } else {
    first_ = object->next_;
  }
  if (object->next_) {
    object->next_->previous_ = object->previous_;
  }
}

Object::Object(Kind kind, Class* cls)
    : kind(kind), cls(cls ? cls : builtin_class(kind)) {
  ObjectList::current->add(this);
}

Object::~Object() {
  if (list_) {
    list_->remove(this);
  }
  delete attrs;
}

void Object::clear() {
  if (attrs) {
    attrs->clear();
  }
}

// ---- AttrMap ----

namespace {
constexpr size_t kLinearLimit = 10;
}

constinit thread_local uint64_t AttrMap::generation = 1;

void AttrMap::watch() {
  watched_ = true;
  ++generation;
}

void AttrMap::changed() {
  generation += watched_;
}

size_t AttrMap::home(Symbol name) const {
  return base::mix(name.id()) & (table_.size() - 1);
}

int64_t AttrMap::locate(Symbol name) const {
  if (table_.empty()) {
    for (size_t i = 0; i < entries_.size(); ++i) {
      if (entries_[i].first == name) {
        return static_cast<int64_t>(i);
      }
    }
    return -1;
  }
  for (size_t at = home(name); table_[at] != 0;
       at = (at + 1) & (table_.size() - 1)) {
    if (entries_[table_[at] - 1].first == name) {
      return static_cast<int64_t>(table_[at]) - 1;
    }
  }
  return -1;
}

void AttrMap::enter(size_t entry) {
  size_t at = home(entries_[entry].first);
  while (table_[at] != 0) {
    at = (at + 1) & (table_.size() - 1);
  }
  table_[at] = static_cast<uint32_t>(entry + 1);
}

void AttrMap::rebuild_table() {
  if (entries_.size() <= kLinearLimit) {
    table_.clear();
    return;
  }
  table_.assign(std::bit_ceil(entries_.size() * 3), 0);
  for (size_t i = 0; i < entries_.size(); ++i) {
    enter(i);
  }
}

const Value* AttrMap::find(Symbol name) const {
  const int64_t i = locate(name);
  return i < 0 ? nullptr : &entries_[i].second;
}

void AttrMap::set(Symbol name, Value value) {
  const int64_t i = locate(name);
  if (i >= 0) {
    entries_[i].second = std::move(value);
    return;
  }
  changed();
  entries_.emplace_back(name, std::move(value));
  if (entries_.size() * 2 > table_.size()) {
    rebuild_table();
  } else {
    enter(entries_.size() - 1);
  }
}

bool AttrMap::erase(Symbol name) {
  const int64_t i = locate(name);
  if (i < 0) {
    return false;
  }
  changed();
  entries_.erase(entries_.begin() + i);
  rebuild_table();
  return true;
}

void AttrMap::clear() {
  // Destructors may look at this map again: leave it empty first.
  changed();
  auto dying = std::move(entries_);
  entries_.clear();
  table_.clear();
}

// ---- the kinds ----

Str::Str(std::string text) : Object(Kind::Str), text(std::move(text)) {}

Str::Str(Symbol name) : Object(Kind::Str), text(name.str()), symbol_(name) {}

Symbol Str::symbol() const {
  if (!symbol_) {
    symbol_ = Symbol(text);
  }
  return symbol_;
}

size_t Str::hash() const {
  if (!hash_) {
    hash_ = std::hash<std::string>{}(text);
  }
  return *hash_;
}

Bytes::Bytes(std::string data) : Object(Kind::Bytes), data(std::move(data)) {}

List::List(std::vector<Value> items)
    : Object(Kind::List), items(std::move(items)) {}

void List::clear() {
  Object::clear();
  std::exchange(items, {});
}

Tuple::Tuple(std::vector<Value> items)
    : Object(Kind::Tuple), items(std::move(items)) {}

void Tuple::clear() {
  Object::clear();
  std::exchange(items, {});
}

Set::Set() : Object(Kind::Set), items(make<Dict>()) {}

void Set::clear() {
  Object::clear();
  if (items) {
    items->remove_all();
  }
}

Slice::Slice(Value lower, Value upper, Value step)
    : Object(Kind::Slice),
      lower(std::move(lower)),
      upper(std::move(upper)),
      step(std::move(step)) {}

void Slice::clear() {
  Object::clear();
  lower = upper = step = Value();
}

Range::Range(int64_t start, int64_t stop, int64_t step)
    : Object(Kind::Range), start(start), stop(stop), step(step) {}

int64_t Range::size() const {
  if (step > 0) {
    return stop > start ? (stop - start - 1) / step + 1 : 0;
  }
  return start > stop ? (start - stop - 1) / -step + 1 : 0;
}

Iterator::Iterator(std::function<Value(Interpreter&)> next)
    : Object(Kind::Iterator), next(std::move(next)) {}

void Iterator::clear() {
  Object::clear();
  next = nullptr;
}

Native::Native(std::string name, Signature signature, Body body)
    : Object(Kind::Native),
      name(std::move(name)),
      signature(std::move(signature)),
      body(std::move(body)) {}

Cell::Cell(Value value) : Object(Kind::Cell), value(std::move(value)) {}

void Cell::clear() {
  Object::clear();
  value = Value();
}

Function::Function(
    std::shared_ptr<const FunctionCode> code,
    Ref<ModuleObject> globals)
    : Object(Kind::Function),
      code(std::move(code)),
      globals(std::move(globals)) {}

void Function::clear() {
  Object::clear();
  globals = nullptr;
  std::exchange(closure, {});
  std::exchange(defaults, {});
}

BoundMethod::BoundMethod(Value self, Value function)
    : Object(Kind::BoundMethod),
      self(std::move(self)),
      function(std::move(function)) {}

void BoundMethod::clear() {
  Object::clear();
  self = function = Value();
}

Property::Property(Value getter, Value setter, Value deleter)
    : Object(Kind::Property),
      getter(std::move(getter)),
      setter(std::move(setter)),
      deleter(std::move(deleter)) {}

void Property::clear() {
  Object::clear();
  getter = setter = deleter = Value();
}

MethodWrapper::MethodWrapper(Kind kind, Value function)
    : Object(kind), function(std::move(function)) {}

void MethodWrapper::clear() {
  Object::clear();
  function = Value();
}

Instance::Instance(Class* cls) : Object(Kind::Instance, cls) {}

ModuleObject::ModuleObject(std::string name, std::string file)
    : Object(Kind::Module), name(std::move(name)), file(std::move(file)) {
  attrs = new AttrMap;
  attrs->set(names().name, eval::str(this->name));
}

void ModuleObject::def(std::string_view signature, Native::Body body) {
  auto function = native(name, signature, std::move(body));
  attrs->set(Symbol(signature.substr(0, signature.find('('))), Value(function));
}

void ModuleObject::set(std::string_view key, Value value) {
  attrs->set(Symbol(key), std::move(value));
}

SuperObject::SuperObject(Class* after, Value self, Class* start)
    : Object(Kind::Super), after(after), self(std::move(self)), start(start) {}

void SuperObject::clear() {
  Object::clear();
  self = Value();
}

Lazy::Lazy(std::function<Value(Interpreter&)> resolve)
    : Object(Kind::Lazy), resolve(std::move(resolve)) {}

void Lazy::clear() {
  Object::clear();
  resolve = nullptr;
}

// ---- convenience ----

Value str(std::string text) {
  return Value(make<Str>(std::move(text)));
}

Value str(Symbol name) {
  return Value(make<Str>(name));
}

Value list(std::vector<Value> items) {
  return Value(make<List>(std::move(items)));
}

Value tuple(std::vector<Value> items) {
  return Value(make<Tuple>(std::move(items)));
}

Ref<Dict> dict() {
  return make<Dict>();
}

Ref<Native> native(
    std::string_view qualifier,
    std::string_view signature,
    Native::Body body) {
  const size_t open = signature.find('(');
  PW_CHECK(
      open != std::string_view::npos && signature.back() == ')',
      "signature without parentheses: " + std::string(signature));
  std::string name(qualifier);
  if (!name.empty()) {
    name += '.';
  }
  name += signature.substr(0, open);
  return make<Native>(
      std::move(name),
      Signature::parse(signature.substr(open + 1, signature.size() - open - 2)),
      std::move(body));
}

const std::string& Value::str() const {
  return get<Str>()->text;
}

bool Value::same(const Value& other) const {
  if (tag_ != other.tag_) {
    return false;
  }
  switch (tag_) {
    case Tag::Bool:
      return payload_.boolean == other.payload_.boolean;
    case Tag::Int:
      return payload_.integer == other.payload_.integer;
    case Tag::Float:
      return payload_.real == other.payload_.real;
    case Tag::Object:
      return payload_.object == other.payload_.object ||
             (is_str() && other.is_str() && str() == other.str());
    default:
      return true;
  }
}

}  // namespace portwright::eval

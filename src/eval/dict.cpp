#include "eval/objects.h"
#include "eval/state.h"

namespace portwright::eval {

namespace {

size_t key_hash(Interpreter& interp, const Value& key) {
  return key.is_str() ? key.get<Str>()->hash() : interp.hash(key);
}

bool key_equal(Interpreter* interp, const Value& a, const Value& b) {
  if (a.same(b)) {
    return true;
  }
  if (a.is_str() && b.is_str()) {
    return a.str() == b.str();
  }
  return interp && interp->equal(a, b);
}

}  // namespace

Dict::Dict() : Object(Kind::Dict) {}

void Dict::clear() {
  Object::clear();
  owner_ = {};
  remove_all();
}

namespace {
const AttrMap* owned(const Object& owner) {
  return owner.kind == Kind::Class ? &static_cast<const Class&>(owner).dict
                                   : owner.attrs;
}
}  // namespace

Ref<Dict> Dict::of(Object* owner) {
  auto out = dict();
  out->owner_ = Ref<Object>(owner);
  out->copied_ = false;
  return out;
}

void Dict::copy() {
  copied_ = true;
  if (const AttrMap* attrs = owned(*owner_)) {
    for (const auto& [name, value] : attrs->entries()) {
      const Value key = eval::str(name);
      insert_new(key, value, key.get<Str>()->hash());
    }
  }
}

// Null: the key is gone.
void Dict::tell_owner(const Value& key, const Value* value) {
  if (!owner_ || owner_->kind == Kind::Class || !key.is_str()) {
    return;
  }
  if (!owner_->attrs) {
    owner_->attrs = new AttrMap;
  }
  const Symbol name = key.get<Str>()->symbol();
  value ? owner_->attrs->set(name, *value) : (void)owner_->attrs->erase(name);
}

void Dict::remove_all() {
  if (owner_ && owner_->kind != Kind::Class && owner_->attrs) {
    owner_->attrs->clear();
  }
  copied_ = true;
  auto dying = std::move(entries_);
  entries_.clear();
  table_.clear();
  live_ = 0;
}

int64_t Dict::locate(Interpreter* interp, const Value& key, size_t hash) const {
  if (table_.empty()) {
    for (size_t i = 0; i < entries_.size(); ++i) {
      const Entry& e = entries_[i];
      if (e.hash == hash && e.key.defined() && key_equal(interp, e.key, key)) {
        return static_cast<int64_t>(i);
      }
    }
    return -1;
  }
  const size_t mask = table_.size() - 1;
  for (size_t at = hash & mask; table_[at] >= 0; at = (at + 1) & mask) {
    const Entry& e = entries_[table_[at]];
    if (e.hash == hash && e.key.defined() && key_equal(interp, e.key, key)) {
      return table_[at];
    }
  }
  return -1;
}

void Dict::reindex() {
  std::erase_if(entries_, [](const Entry& e) { return !e.key.defined(); });
  table_.clear();
  if (entries_.size() < 8) {
    return;
  }
  size_t capacity = 32;
  while (capacity < entries_.size() * 3) {
    capacity *= 2;
  }
  table_.assign(capacity, -1);
  for (size_t i = 0; i < entries_.size(); ++i) {
    size_t at = entries_[i].hash & (capacity - 1);
    while (table_[at] >= 0) {
      at = (at + 1) & (capacity - 1);
    }
    table_[at] = static_cast<int32_t>(i);
  }
}

void Dict::insert_new(const Value& key, Value value, size_t hash) {
  entries_.push_back({key, std::move(value), hash});
  ++live_;
  if (table_.empty() ? entries_.size() >= 8
                     : entries_.size() * 2 > table_.size()) {
    reindex();
  } else if (!table_.empty()) {
    size_t at = hash & (table_.size() - 1);
    while (table_[at] >= 0) {
      at = (at + 1) & (table_.size() - 1);
    }
    table_[at] = static_cast<int32_t>(entries_.size() - 1);
  }
}

Value* Dict::find(Interpreter& interp, const Value& key) {
  if (!copied_ && key.is_str()) {
    return find_owned(key.get<Str>()->symbol());
  }
  const int64_t i = locate(&interp, key, key_hash(interp, key));
  return i < 0 ? nullptr : &entries_[i].value;
}

void Dict::set(Interpreter& interp, const Value& key, Value value) {
  (void)entries();
  const size_t hash = key_hash(interp, key);
  const int64_t i = locate(&interp, key, hash);
  tell_owner(key, &value);
  if (i >= 0) {
    entries_[i].value = std::move(value);
  } else {
    insert_new(key, std::move(value), hash);
  }
}

bool Dict::erase(Interpreter& interp, const Value& key) {
  (void)entries();
  const int64_t i = locate(&interp, key, key_hash(interp, key));
  if (i < 0) {
    return false;
  }
  tell_owner(key, nullptr);
  // The hash stays, so that probing goes on past the gap.
  Value dying_key = std::exchange(entries_[i].key, Value());
  Value dying_value = std::exchange(entries_[i].value, Value());
  if (--live_ == 0) {
    entries_.clear();
    table_.clear();
  }
  return true;
}

Value* Dict::find_owned(Symbol name) {
  const AttrMap* attrs = owned(*owner_);
  return attrs ? const_cast<Value*>(attrs->find(name)) : nullptr;
}

Value* Dict::find(std::string_view key) {
  if (!copied_) {
    return find_owned(Symbol(key));
  }
  const Value name = eval::str(std::string(key));
  const int64_t i = locate(nullptr, name, name.get<Str>()->hash());
  return i < 0 ? nullptr : &entries_[i].value;
}

void Dict::set(std::string_view key, Value value) {
  (void)entries();
  const Value name = eval::str(std::string(key));
  tell_owner(name, &value);
  const size_t hash = name.get<Str>()->hash();
  if (const int64_t i = locate(nullptr, name, hash); i >= 0) {
    entries_[i].value = std::move(value);
  } else {
    insert_new(name, std::move(value), hash);
  }
}

}  // namespace portwright::eval

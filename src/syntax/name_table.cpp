#include "syntax/name_table.h"

namespace portwright::syntax {

NameTable::NameTable() : slots_(1024, Slot{0, 0}) {
  entries_.reserve(512);
  entries_.push_back({base::Symbol(), TokenKind::Error});
#define X(name, text) insert(text, hash(text), TokenKind::name);
  PW_KEYWORDS(X)
#undef X
}

uint32_t NameTable::find(std::string_view name, uint32_t hash) {
  const size_t mask = slots_.size() - 1;
  for (size_t at = hash & mask; slots_[at].index != 0; at = (at + 1) & mask) {
    if (slots_[at].hash == hash &&
        entries_[slots_[at].index].symbol.str() == name) {
      return slots_[at].index;
    }
  }
  return insert(name, hash, TokenKind::Name);
}

uint32_t
NameTable::insert(std::string_view name, uint32_t hash, TokenKind kind) {
  if (entries_.size() * 2 >= slots_.size()) {
    grow();
  }
  const auto index = static_cast<uint32_t>(entries_.size());
  entries_.push_back({base::Symbol(name), kind});
  const size_t mask = slots_.size() - 1;
  size_t at = hash & mask;
  while (slots_[at].index != 0) {
    at = (at + 1) & mask;
  }
  slots_[at] = {hash, index};
  return index;
}

void NameTable::grow() {
  std::vector<Slot> old(slots_.size() * 2, Slot{0, 0});
  old.swap(slots_);
  const size_t mask = slots_.size() - 1;
  for (const Slot& slot : old) {
    if (slot.index != 0) {
      size_t at = slot.hash & mask;
      while (slots_[at].index != 0) {
        at = (at + 1) & mask;
      }
      slots_[at] = slot;
    }
  }
}

}  // namespace portwright::syntax

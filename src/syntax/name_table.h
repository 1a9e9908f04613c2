#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "base/symbol.h"
#include "syntax/token.h"

namespace portwright::syntax {

/// The names of one parse: a hash table in front of the process-wide symbols,
/// so that each distinct name takes their lock once. Knows the keywords.
class NameTable {
 public:
  static constexpr uint32_t kHashSeed = 2166136261U;

  NameTable();

  static constexpr uint32_t hash_step(uint32_t hash, unsigned char c) {
    return (hash ^ c) * 16777619U;
  }
  static constexpr uint32_t hash(std::string_view text) {
    uint32_t h = kHashSeed;
    for (const char c : text) {
      h = hash_step(h, static_cast<unsigned char>(c));
    }
    return h;
  }

  struct Entry {
    base::Symbol symbol;
    TokenKind kind;  // Name, or the keyword's
  };

  /// Index of the entry for `text`, whose hash() is `hash`. `text` is not kept.
  uint32_t find(std::string_view text, uint32_t hash);

  const Entry& operator[](uint32_t index) const {
    return entries_[index];
  }

 private:
  struct Slot {
    uint32_t hash;
    uint32_t index;  // 0 means free
  };
  uint32_t insert(std::string_view text, uint32_t hash, TokenKind kind);
  void grow();

  std::vector<Slot> slots_;
  std::vector<Entry> entries_;
};

}  // namespace portwright::syntax

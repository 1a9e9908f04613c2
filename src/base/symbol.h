#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

namespace portwright::base {

/// An interned string: equal text means equal pointer, so comparing and
/// hashing cost one word. Symbols live as long as the process.
class Symbol {
 public:
  Symbol() = default;
  explicit Symbol(std::string_view text);

  const std::string& str() const {
    return *text_;
  }
  explicit operator bool() const {
    return text_ != nullptr;
  }
  bool operator==(const Symbol&) const = default;

  const void* id() const {
    return text_;
  }

 private:
  const std::string* text_ = nullptr;
};

/// Spreads an address over the bits of a word: its lowest are always zero.
inline size_t mix(const void* address) {
  const auto bits = reinterpret_cast<uintptr_t>(address);
  return (bits >> 4) ^ (bits >> 13);
}

}  // namespace portwright::base

template <>
struct std::hash<portwright::base::Symbol> {
  size_t operator()(portwright::base::Symbol s) const noexcept {
    return std::hash<const void*>{}(s.id());
  }
};

#pragma once

#include <cstddef>
#include <cstring>
#include <memory>
#include <new>
#include <span>
#include <type_traits>
#include <utility>
#include <vector>

namespace portwright::base {

/// Bump allocator for trees that die together. Holds only trivially
/// destructible values, so freeing is dropping the blocks.
class Arena {
 public:
  template <typename T, typename... Args>
  T* make(Args&&... args) {
    static_assert(std::is_trivially_destructible_v<T>);
    return new (allocate(sizeof(T), alignof(T))) T{std::forward<Args>(args)...};
  }

  template <typename T>
  std::span<T> copy(const std::vector<T>& items) {
    static_assert(std::is_trivially_copyable_v<T>);
    if (items.empty()) {
      return {};
    }
    auto* out = static_cast<T*>(allocate(items.size() * sizeof(T), alignof(T)));
    std::memcpy(
        static_cast<void*>(out), items.data(), items.size() * sizeof(T));
    return {out, items.size()};
  }

  void* allocate(size_t size, size_t align) {
    size_t at = (used_ + align - 1) & ~(align - 1);
    if (blocks_.empty() || at + size > capacity_) {
      // Most trees are a line or two, some are whole files.
      const size_t next = blocks_.empty() ? kFirst : capacity_ * 2;
      capacity_ = std::max(size + align, std::min(next, kLargest));
      blocks_.push_back(std::make_unique_for_overwrite<std::byte[]>(capacity_));
      used_ = 0;
      at = 0;
    }
    used_ = at + size;
    return blocks_.back().get() + at;
  }

 private:
  static constexpr size_t kFirst = 4 * 1024, kLargest = 64 * 1024;
  std::vector<std::unique_ptr<std::byte[]>> blocks_;
  size_t used_ = 0;
  size_t capacity_ = 0;
};

}  // namespace portwright::base

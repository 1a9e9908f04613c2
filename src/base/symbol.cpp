#include "base/symbol.h"

#include <mutex>
#include <unordered_set>

namespace portwright::base {

Symbol::Symbol(std::string_view text) {
  struct Hash {
    using is_transparent = void;
    size_t operator()(std::string_view s) const {
      return std::hash<std::string_view>{}(s);
    }
  };
  // Node-based, so addresses stay valid while the set grows.
  static std::unordered_set<std::string, Hash, std::equal_to<>> table;
  static std::mutex mutex;
  std::lock_guard lock(mutex);
  auto it = table.find(text);
  if (it == table.end()) {
    it = table.emplace(text).first;
  }
  text_ = &*it;
}

}  // namespace portwright::base

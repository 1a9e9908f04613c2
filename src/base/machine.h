#pragma once

#include <cstdint>
#include <filesystem>
#include <string>

namespace portwright::base {

/// What the program runs on.
struct Machine {
  /// "Linux 6.1.0", "Darwin 24.0.0".
  std::string system;
  /// "x86_64", "arm64".
  std::string architecture;
  /// As its maker calls it; may be empty.
  std::string processor;
  unsigned cores = 0;
  uint64_t memory_bytes = 0;
};

Machine this_machine();

/// What this process may use of the memory: a container may grant less than the
/// machine has.
uint64_t usable_memory();

/// Whether files in a folder are kept in memory (tmpfs).
bool lies_in_memory(const std::filesystem::path& folder);

}  // namespace portwright::base

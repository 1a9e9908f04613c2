#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>

#include "base/result.h"

namespace portwright::base {

/// FNV-1a over 64 bits: tells contents apart, guards nothing.
class Digest {
 public:
  Digest& add(std::string_view bytes);

  /// 16 hexadecimal digits.
  std::string text() const;

 private:
  uint64_t hash_ = 14695981039346656037u;
};

std::string digest_of(std::string_view bytes);

/// Of a file past 64 MiB its size, its ends and pieces in between are read.
Result<std::string> digest_of_file(const std::filesystem::path& path);

}  // namespace portwright::base

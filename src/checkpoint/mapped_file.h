#pragma once

#include <cstddef>
#include <filesystem>
#include <span>

#include "base/result.h"

namespace portwright::checkpoint {

/// A whole file mapped read-only. Pages are loaded when they are touched.
class MappedFile {
 public:
  static base::Result<MappedFile> open(const std::filesystem::path& path);

  MappedFile(MappedFile&& other) noexcept;
  MappedFile& operator=(MappedFile&& other) noexcept;
  ~MappedFile();

  std::span<const std::byte> bytes() const {
    return {data_, size_};
  }

 private:
  MappedFile(const std::byte* data, size_t size) : data_(data), size_(size) {}
  const std::byte* data_ = nullptr;
  size_t size_ = 0;
};

}  // namespace portwright::checkpoint

#include "cli/npy.h"

#include <fmt/format.h>

#include "base/paths.h"

namespace portwright::cli {

base::Result<void> write_npy(
    const std::filesystem::path& path,
    std::span<const float> values,
    const std::vector<int>& shape) {
  std::string sizes;
  for (const int size : shape) {
    sizes += fmt::format("{}, ", size);
  }
  std::string header = fmt::format(
      "{{'descr': '<f4', 'fortran_order': False, 'shape': ({}), }}", sizes);
  // Magic, version and length take 10 bytes; data starts at a multiple of 64.
  const size_t padding = 64 - (10 + header.size() + 1) % 64;
  header += std::string(padding, ' ') + '\n';
  std::string bytes("\x93NUMPY\x01\x00", 8);
  bytes += static_cast<char>(header.size() & 0xff);
  bytes += static_cast<char>(header.size() >> 8);
  bytes += header;
  bytes.append(
      reinterpret_cast<const char*>(values.data()), values.size_bytes());
  return base::write_file(path, bytes);
}

}  // namespace portwright::cli

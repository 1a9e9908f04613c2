#include "base/digest.h"

#include <algorithm>
#include <cstdio>
#include <fstream>
#include <vector>

namespace portwright::base {
namespace {

constexpr uint64_t kWhole = uint64_t{64} << 20;
constexpr uint64_t kPiece = uint64_t{1} << 20;
constexpr uint64_t kPieces = 32;

}  // namespace

Digest& Digest::add(std::string_view bytes) {
  for (const unsigned char byte : bytes) {
    hash_ = (hash_ ^ byte) * 1099511628211u;
  }
  return *this;
}

std::string Digest::text() const {
  char out[17];
  std::snprintf(
      out, sizeof out, "%016llx", static_cast<unsigned long long>(hash_));
  return out;
}

std::string digest_of(std::string_view bytes) {
  return Digest().add(bytes).text();
}

Result<std::string> digest_of_file(const std::filesystem::path& path) {
  std::error_code error;
  const uint64_t size = std::filesystem::file_size(path, error);
  std::ifstream file(path, std::ios::binary);
  if (error || !file) {
    return fail("cannot read " + path.string());
  }
  const bool whole = size <= kWhole;
  const uint64_t pieces = whole ? (size + kPiece - 1) / kPiece : kPieces;
  Digest digest;
  digest.add(std::to_string(size));
  std::vector<char> buffer(kPiece);
  for (uint64_t i = 0; i < pieces; ++i) {
    const uint64_t at =
        whole ? i * kPiece : (size - kPiece) / (kPieces - 1) * i;
    const uint64_t length = std::min(kPiece, size - at);
    file.seekg(static_cast<std::streamoff>(at));
    if (!file.read(buffer.data(), static_cast<std::streamsize>(length))) {
      return fail("cannot read " + path.string());
    }
    digest.add({buffer.data(), length});
  }
  return digest.text();
}

}  // namespace portwright::base

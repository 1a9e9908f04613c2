#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <span>

#include "checkpoint/safetensors.h"

/// Any bytes are an error or tensors that lie inside of them.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::span bytes(reinterpret_cast<const std::byte*>(data), size);
  const auto parsed = portwright::checkpoint::parse_safetensors(bytes, "fuzz");
  if (!parsed) {
    return 0;
  }
  for (const auto& [name, tensor] : parsed->tensors) {
    unsigned sum = 0;
    for (const std::byte byte : tensor.data) {
      sum += static_cast<unsigned>(byte);
    }
    const auto bits = static_cast<size_t>(tensor.size()) *
                      portwright::checkpoint::bits(tensor.dtype);
    if ((bits + 7) / 8 != tensor.data.size() || sum > 255 * size) {
      std::abort();
    }
  }
  return 0;
}

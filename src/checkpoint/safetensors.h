#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "checkpoint/mapped_file.h"

namespace portwright::checkpoint {

/// The element types of the format: name in the header, bits an element.
#define PW_SAFETENSORS_DTYPES(X) \
  X(Bool, "BOOL", 8)             \
  X(F4, "F4", 4)                 \
  X(F6E2M3, "F6_E2M3", 6)        \
  X(F6E3M2, "F6_E3M2", 6)        \
  X(U8, "U8", 8)                 \
  X(I8, "I8", 8)                 \
  X(F8E5M2, "F8_E5M2", 8)        \
  X(F8E4M3, "F8_E4M3", 8)        \
  X(F8E8M0, "F8_E8M0", 8)        \
  X(I16, "I16", 16)              \
  X(U16, "U16", 16)              \
  X(F16, "F16", 16)              \
  X(BF16, "BF16", 16)            \
  X(I32, "I32", 32)              \
  X(U32, "U32", 32)              \
  X(F32, "F32", 32)              \
  X(C64, "C64", 64)              \
  X(F64, "F64", 64)              \
  X(I64, "I64", 64)              \
  X(U64, "U64", 64)

enum class Dtype {
#define X(name, text, bits) name,
  PW_SAFETENSORS_DTYPES(X)
#undef X
};

std::string_view name(Dtype dtype);
size_t bits(Dtype dtype);
std::optional<Dtype> dtype_from_name(std::string_view name);

/// One tensor, row-major. `data` is little-endian and may be unaligned; it
/// lives as long as the file it came from.
struct TensorView {
  Dtype dtype = Dtype::F32;
  std::vector<int64_t> shape;
  std::span<const std::byte> data;

  int64_t size() const;
};

using Tensors = std::map<std::string, TensorView>;
using Metadata = std::map<std::string, std::string>;

/// One .safetensors file, mapped. The header is not trusted: everything that
/// it claims is checked before a tensor is handed out.
class SafetensorsFile {
 public:
  /// The Error names the file, the tensor and what is wrong.
  static base::Result<SafetensorsFile> open(const std::filesystem::path& path);

  const Tensors& tensors() const {
    return tensors_;
  }
  const Metadata& metadata() const {
    return metadata_;
  }
  /// Null when there is no such tensor.
  const TensorView* find(const std::string& name) const;

 private:
  explicit SafetensorsFile(MappedFile file) : file_(std::move(file)) {}
  MappedFile file_;
  Tensors tensors_;
  Metadata metadata_;
};

/// The header and tensors of the bytes of a file; `source` names it in errors.
struct Parsed {
  Tensors tensors;
  Metadata metadata;
};
base::Result<Parsed> parse_safetensors(
    std::span<const std::byte> bytes,
    const std::string& source);

/// All tensors of a checkpoint directory: what model.safetensors.index.json
/// lists, or model*.safetensors. Names are unique over the files.
class Checkpoint {
 public:
  static base::Result<Checkpoint> open(const std::filesystem::path& directory);

  const Tensors& tensors() const {
    return tensors_;
  }

 private:
  std::vector<SafetensorsFile> files_;
  Tensors tensors_;
};

/// Writes atomically: the file appears complete or not at all. Every view's
/// data must have the size that its dtype and shape say.
base::Result<void> write_safetensors(
    const std::filesystem::path& path,
    const Tensors& tensors,
    const Metadata& metadata = {});

/// Elements as float32; nothing for 4- and 6-bit, complex and scale types.
std::optional<std::vector<float>> to_floats(const TensorView& tensor);

/// Flat index of the first NaN or infinity, if any. Integers have none.
std::optional<int64_t> first_not_finite(const TensorView& tensor);

}  // namespace portwright::checkpoint

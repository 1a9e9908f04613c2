#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include <mlx/dtype.h>

namespace portwright::torch {

namespace mx = mlx::core;

/// torch's element types. The last ones can be named and compared, but no
/// tensor can have them.
enum class Dtype : uint8_t {
  Bool,
  UInt8,
  Int8,
  Int16,
  Int32,
  Int64,
  Float16,
  BFloat16,
  Float32,
  Float64,
  Complex64,
  UInt16,
  UInt32,
  UInt64,
  Complex128,
  Float8E4M3,
  Float8E5M2,
};
inline constexpr int kDtypeCount = static_cast<int>(Dtype::Float8E5M2) + 1;

/// "float32", as in torch.float32.
std::string_view name(Dtype dtype);
/// Also under torch's aliases ("half", "long"); nullopt for other names.
std::optional<Dtype> dtype_by_name(std::string_view name);
/// The name old code gives the tensor type, "FloatTensor".
std::string_view tensor_type_name(Dtype dtype);
int itemsize(Dtype dtype);
bool has_arrays(Dtype dtype);
bool is_floating_point(Dtype dtype);
bool is_complex(Dtype dtype);
/// float16 and bfloat16: computed in float32 and rounded once.
bool is_half(Dtype dtype);
inline bool is_inexact(Dtype dtype) {
  return is_floating_point(dtype) || is_complex(dtype);
}
inline bool is_integral(Dtype dtype, bool or_bool = false) {
  return dtype == Dtype::Bool ? or_bool : !is_inexact(dtype);
}
bool is_signed(Dtype dtype);

/// Only for a dtype that has_arrays().
mx::Dtype to_mlx(Dtype dtype);
Dtype from_mlx(mx::Dtype dtype);

}  // namespace portwright::torch

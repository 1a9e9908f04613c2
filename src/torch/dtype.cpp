#include "torch/dtype.h"

#include <array>

#include "base/check.h"

namespace portwright::torch {
namespace {

struct Row {
  Dtype dtype;
  std::string_view name, alias, tensor_type;
  int itemsize;
  char kind;  // b bool, u unsigned, i signed, f float, c complex
  bool arrays;
};

constexpr std::array<Row, kDtypeCount> kRows{{
    {Dtype::Bool, "bool", "", "BoolTensor", 1, 'b', true},
    {Dtype::UInt8, "uint8", "", "ByteTensor", 1, 'u', true},
    {Dtype::Int8, "int8", "", "CharTensor", 1, 'i', true},
    {Dtype::Int16, "int16", "short", "ShortTensor", 2, 'i', true},
    {Dtype::Int32, "int32", "int", "IntTensor", 4, 'i', true},
    {Dtype::Int64, "int64", "long", "LongTensor", 8, 'i', true},
    {Dtype::Float16, "float16", "half", "HalfTensor", 2, 'f', true},
    {Dtype::BFloat16, "bfloat16", "", "BFloat16Tensor", 2, 'f', true},
    {Dtype::Float32, "float32", "float", "FloatTensor", 4, 'f', true},
    {Dtype::Float64, "float64", "double", "DoubleTensor", 8, 'f', true},
    {Dtype::Complex64, "complex64", "cfloat", "", 8, 'c', true},
    {Dtype::UInt16, "uint16", "", "", 2, 'u', true},
    {Dtype::UInt32, "uint32", "", "", 4, 'u', true},
    {Dtype::UInt64, "uint64", "", "", 8, 'u', true},
    {Dtype::Complex128, "complex128", "cdouble", "", 16, 'c', false},
    {Dtype::Float8E4M3, "float8_e4m3fn", "", "", 1, 'f', false},
    {Dtype::Float8E5M2, "float8_e5m2", "", "", 1, 'f', false},
}};

const Row& row(Dtype dtype) {
  return kRows[static_cast<size_t>(dtype)];
}

}  // namespace

std::string_view name(Dtype dtype) {
  return row(dtype).name;
}

std::optional<Dtype> dtype_by_name(std::string_view name) {
  for (const Row& r : kRows) {
    if (r.name == name || (!r.alias.empty() && r.alias == name)) {
      return r.dtype;
    }
  }
  return std::nullopt;
}

std::string_view tensor_type_name(Dtype dtype) {
  return row(dtype).tensor_type;
}

int itemsize(Dtype dtype) {
  return row(dtype).itemsize;
}

bool has_arrays(Dtype dtype) {
  return row(dtype).arrays;
}

bool is_floating_point(Dtype dtype) {
  return row(dtype).kind == 'f';
}

bool is_complex(Dtype dtype) {
  return row(dtype).kind == 'c';
}

bool is_half(Dtype dtype) {
  return dtype == Dtype::Float16 || dtype == Dtype::BFloat16;
}

bool is_signed(Dtype dtype) {
  return row(dtype).kind != 'u' && row(dtype).kind != 'b';
}

mx::Dtype to_mlx(Dtype dtype) {
  switch (dtype) {
    case Dtype::Bool:
      return mx::bool_;
    case Dtype::UInt8:
      return mx::uint8;
    case Dtype::Int8:
      return mx::int8;
    case Dtype::Int16:
      return mx::int16;
    case Dtype::Int32:
      return mx::int32;
    case Dtype::Int64:
      return mx::int64;
    case Dtype::Float16:
      return mx::float16;
    case Dtype::BFloat16:
      return mx::bfloat16;
    case Dtype::Float32:
      return mx::float32;
    case Dtype::Float64:
      return mx::float64;
    case Dtype::Complex64:
      return mx::complex64;
    case Dtype::UInt16:
      return mx::uint16;
    case Dtype::UInt32:
      return mx::uint32;
    case Dtype::UInt64:
      return mx::uint64;
    default:
      PW_CHECK(false, "no arrays of " + std::string(name(dtype)));
  }
}

Dtype from_mlx(mx::Dtype dtype) {
  for (const Row& r : kRows) {
    if (r.arrays && to_mlx(r.dtype) == dtype) {
      return r.dtype;
    }
  }
  PW_CHECK(false, "unknown array type");
}

}  // namespace portwright::torch

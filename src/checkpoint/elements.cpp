#include <bit>
#include <cmath>
#include <cstring>

#include "checkpoint/safetensors.h"

namespace portwright::checkpoint {
namespace {

float from_half(uint16_t h) {
  const uint32_t sign = static_cast<uint32_t>(h & 0x8000) << 16;
  const uint32_t exponent = h >> 10 & 0x1f;
  const uint32_t mantissa = h & 0x3ff;
  if (exponent == 0) {
    const float value = std::ldexp(static_cast<float>(mantissa), -24);
    return sign ? -value : value;
  }
  const uint32_t wide = exponent == 31 ? 255 : exponent + 112;
  return std::bit_cast<float>(sign | wide << 23 | mantissa << 13);
}

float from_bfloat(uint16_t b) {
  return std::bit_cast<float>(static_cast<uint32_t>(b) << 16);
}

/// 1 sign, `exponent_bits` and the rest mantissa; `has_infinity` as IEEE does.
float from_byte(uint8_t b, int exponent_bits, bool has_infinity) {
  const int mantissa_bits = 7 - exponent_bits;
  const int bias = (1 << (exponent_bits - 1)) - 1;
  const int exponent = b >> mantissa_bits & ((1 << exponent_bits) - 1);
  const int mantissa = b & ((1 << mantissa_bits) - 1);
  const int top = (1 << exponent_bits) - 1;
  float value = 0;
  if (has_infinity && exponent == top) {
    value = mantissa ? std::nanf("") : INFINITY;
  } else if (
      !has_infinity && exponent == top &&
      mantissa == (1 << mantissa_bits) - 1) {
    value = std::nanf("");
  } else if (exponent == 0) {
    value = std::ldexp(static_cast<float>(mantissa), 1 - bias - mantissa_bits);
  } else {
    value = std::ldexp(
        static_cast<float>(mantissa + (1 << mantissa_bits)),
        exponent - bias - mantissa_bits);
  }
  return b & 0x80 ? -value : value;
}

template <typename T, typename Convert>
std::vector<float> convert(const TensorView& tensor, Convert&& element) {
  std::vector<float> out(static_cast<size_t>(tensor.size()));
  const std::byte* at = tensor.data.data();
  for (float& value : out) {
    T raw;
    std::memcpy(&raw, at, sizeof raw);
    value = element(raw);
    at += sizeof raw;
  }
  return out;
}

template <typename T>
std::vector<float> plain(const TensorView& tensor) {
  return convert<T>(tensor, [](T v) { return static_cast<float>(v); });
}

}  // namespace

std::optional<std::vector<float>> to_floats(const TensorView& tensor) {
  switch (tensor.dtype) {
    case Dtype::F32:
      return plain<float>(tensor);
    case Dtype::F64:
      return plain<double>(tensor);
    case Dtype::F16:
      return convert<uint16_t>(tensor, from_half);
    case Dtype::BF16:
      return convert<uint16_t>(tensor, from_bfloat);
    case Dtype::F8E4M3:
      return convert<uint8_t>(
          tensor, [](uint8_t b) { return from_byte(b, 4, false); });
    case Dtype::F8E5M2:
      return convert<uint8_t>(
          tensor, [](uint8_t b) { return from_byte(b, 5, true); });
    case Dtype::Bool:
    case Dtype::U8:
      return plain<uint8_t>(tensor);
    case Dtype::I8:
      return plain<int8_t>(tensor);
    case Dtype::U16:
      return plain<uint16_t>(tensor);
    case Dtype::I16:
      return plain<int16_t>(tensor);
    case Dtype::U32:
      return plain<uint32_t>(tensor);
    case Dtype::I32:
      return plain<int32_t>(tensor);
    case Dtype::U64:
      return plain<uint64_t>(tensor);
    case Dtype::I64:
      return plain<int64_t>(tensor);
    default:
      return std::nullopt;
  }
}

std::optional<int64_t> first_not_finite(const TensorView& tensor) {
  switch (tensor.dtype) {
    case Dtype::F32:
    case Dtype::F64:
    case Dtype::F16:
    case Dtype::BF16:
    case Dtype::F8E4M3:
    case Dtype::F8E5M2:
      break;
    default:
      return std::nullopt;
  }
  const auto values = to_floats(tensor);
  const auto bad = std::find_if_not(
      values->begin(), values->end(), [](float v) { return std::isfinite(v); });
  if (bad == values->end()) {
    return std::nullopt;
  }
  return bad - values->begin();
}

}  // namespace portwright::checkpoint

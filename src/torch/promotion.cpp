#include "torch/promotion.h"

namespace portwright::torch {
namespace {

bool newer_unsigned(Dtype d) {
  return d == Dtype::UInt16 || d == Dtype::UInt32 || d == Dtype::UInt64;
}

int category(Dtype d) {
  return is_complex(d)          ? 3
         : is_floating_point(d) ? 2
         : d == Dtype::Bool     ? 0
                                : 1;
}

}  // namespace

std::optional<Dtype> promote_types(Dtype a, Dtype b) {
  if (a == b) {
    return a;
  }
  if (!has_arrays(a) || !has_arrays(b)) {
    return std::nullopt;
  }
  if (category(a) < category(b)) {
    std::swap(a, b);
  }
  const bool same = category(a) == category(b);
  if (is_complex(a)) {
    return b == Dtype::Float64 ? std::nullopt : std::optional(a);
  }
  if (!same) {
    return a;  // floats over integers, anything over bool
  }
  if (is_floating_point(a)) {
    if (is_half(a) && is_half(b)) {
      return Dtype::Float32;
    }
    return itemsize(a) > itemsize(b) ? a : b;
  }
  if (newer_unsigned(a) || newer_unsigned(b)) {
    if (is_signed(a) || is_signed(b)) {
      return std::nullopt;
    }
    return itemsize(a) > itemsize(b) ? a : b;
  }
  if (itemsize(a) == itemsize(b)) {
    return Dtype::Int16;  // uint8 and int8
  }
  return itemsize(a) > itemsize(b) ? a : b;
}

bool can_cast(Dtype from, Dtype to) {
  if (is_complex(from) && !is_complex(to)) {
    return false;
  }
  if (is_floating_point(from) && is_integral(to, true)) {
    return false;
  }
  return from == Dtype::Bool || to != Dtype::Bool;
}

void ResultType::Rank::join(Dtype other) {
  if (!dtype) {
    dtype = other;
    return;
  }
  dtype = promote_types(*dtype, other);
  failed |= !dtype;
}

void ResultType::add(const Tensor& tensor) {
  add(tensor.dtype, tensor.dim() > 0);
}

void ResultType::add(Dtype dtype, bool has_axes) {
  (has_axes ? axes_ : zero_dim_).join(dtype);
}

void ResultType::add_number(const eval::Value& number) {
  number_.join(dtype_of_number(number, default_));
}

ResultType::Rank ResultType::combine(const Rank& higher, const Rank& lower) {
  Rank out;
  out.failed = higher.failed || lower.failed;
  if (out.failed || !higher.dtype || !lower.dtype) {
    out.dtype = higher.dtype ? higher.dtype : lower.dtype;
    return out;
  }
  out.dtype = higher.dtype;
  if (is_complex(*higher.dtype)) {
    return out;
  }
  if (is_floating_point(*higher.dtype)) {
    if (is_complex(*lower.dtype)) {
      out.dtype = *higher.dtype == Dtype::Float64 ? Dtype::Complex128
                                                  : Dtype::Complex64;
    }
    return out;
  }
  if (*higher.dtype == Dtype::Bool || is_inexact(*lower.dtype)) {
    out.join(*lower.dtype);
  }
  return out;
}

std::optional<Dtype> ResultType::result() const {
  const Rank rank = combine(axes_, combine(zero_dim_, number_));
  return rank.failed ? std::nullopt : rank.dtype;
}

Dtype dtype_of_number(const eval::Value& number, Dtype default_dtype) {
  if (number.is_bool()) {
    return Dtype::Bool;
  }
  return number.is_int() ? Dtype::Int64 : default_dtype;
}

}  // namespace portwright::torch

#pragma once

#include <span>

#include "candidate/call.h"

namespace portwright::candidate {

using OpBody = Value (*)(Call&);

/// Where an operation is found: mlx.core itself, methods and properties of
/// arrays, or one of the submodules.
enum Place : unsigned {
  kModule = 1,
  kMethod = 2,
  kBoth = kModule | kMethod,
  kProperty = 4,
  kFast = 8,
  kRandom = 16,
  kLinalg = 32,
};

/// One operation of mlx.core as its Python binding declares it; every one
/// takes `stream` besides, which says where, not what, and is passed over.
struct OpSpec {
  const char* signature;
  unsigned places;
  OpBody body;
};

// The operations by theme, one file each in ops/.
std::span<const OpSpec> arithmetic_ops();
std::span<const OpSpec> unary_ops();
std::span<const OpSpec> reduce_ops();
std::span<const OpSpec> shape_ops();
std::span<const OpSpec> create_ops();
std::span<const OpSpec> select_ops();
std::span<const OpSpec> linear_ops();
std::span<const OpSpec> random_ops();
std::span<const OpSpec> conversion_ops();

}  // namespace portwright::candidate

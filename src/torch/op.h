#pragma once

#include <span>
#include <string>
#include <vector>

#include "eval/objects.h"

namespace portwright::torch {

class Call;

/// Computes one operation from its bound arguments.
using OpBody = eval::Value (*)(Call&);

/// One operation of torch, whatever ways Python has to call it. Ops live as
/// long as the process; their address is their identity.
struct Op {
  std::string name;  // "softmax", "add_", "linalg.vector_norm"
  eval::Signature signature;
  OpBody body;
  /// Writes into its first argument and returns it.
  bool in_place = false;
  /// The op an in-place one computes before it writes; null for in-place ops
  /// with a body of their own.
  const Op* functional = nullptr;

  /// Position of a parameter, -1 when there is none.
  int param(std::string_view name) const;
};

/// The op of that name; null when there is none.
const Op* find_op(std::string_view name);
std::vector<const Op*> all_ops();

}  // namespace portwright::torch

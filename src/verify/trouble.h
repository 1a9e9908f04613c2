#pragma once

#include <string>

#include "base/result.h"

namespace portwright::verify {

/// Why a run gave no tensors. `World`: the worker died, hung or could not
/// start, and the battery ends. `Model`: the code under test raised, and that
/// is an answer: a check fails with it.
struct Trouble {
  enum class Where { World, Model };
  Where where = Where::Model;
  std::string kind;
  std::string message;
  /// End of the traceback, or of what the worker wrote to stderr.
  std::string detail;
  /// The worker that it came from: "reference", "candidate".
  std::string by = {};
  /// The module of the port whose code raised; and whether a cache did below
  /// it, being of another kind than the code expects.
  std::string module = {};
  bool in_cache = false;
};

inline base::Error error_of(const Trouble& trouble) {
  return {trouble.message, trouble.detail};
}

template <typename T>
using Outcome = tl::expected<T, Trouble>;

inline tl::unexpected<Trouble> model_trouble(
    std::string kind,
    std::string message) {
  return tl::unexpected(
      Trouble{Trouble::Where::Model, std::move(kind), std::move(message), ""});
}

}  // namespace portwright::verify

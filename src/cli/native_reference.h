#pragma once

#include <mlx/array.h>
#include <filesystem>
#include <map>
#include <string>

#include "cli/token_ids.h"
#include "verify/workers.h"

namespace portwright::cli {

/// The dtype in which both sides must agree; others have a noise floor.
inline constexpr const char* kExact = "float32";

/// What is asked of a model: all at once; two rows, one of them padded on the
/// left; and a prefill followed by single steps.
struct Probe {
  IdTable full;
  IdTable batch;
  IdTable mask;
  int prefill = 0;
};
Probe native_probe();

/// torch's answers to the probe: "full" and "batch" (B, T, V), "decode" (the
/// logits after the prefill and after each step), float32. Those it cannot give
/// are in `failures` with the reason.
struct NativeReference {
  std::map<std::string, mlx::core::array> logits;
  /// Of what went into and came out of each module in the full run, by the
  /// keys of library::Capture; only where the answers are not in float32.
  std::map<std::string, std::string> dtypes;
  std::map<std::string, std::string> failures;
};

/// Has the worker answer and keeps the answers in the user's cache, unless the
/// same checkpoint, dtype, probe and versions were asked before: the folder
/// that `read_reference` reads. The timeout is for each request.
base::Result<std::filesystem::path> keep_reference(
    verify::WorkerProcess& worker,
    const std::filesystem::path& checkpoint,
    const std::string& dtype,
    base::Milliseconds timeout);

base::Result<NativeReference> read_reference(
    const std::filesystem::path& folder);

}  // namespace portwright::cli

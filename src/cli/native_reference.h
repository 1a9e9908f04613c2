#pragma once

#include <mlx/array.h>
#include <filesystem>
#include <map>
#include <string>

#include "cli/token_ids.h"
#include "verify/workers.h"

namespace portwright::cli {

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
/// logits after the prefill and after each step). Those it cannot give are in
/// `failures` with the reason.
struct NativeReference {
  std::map<std::string, mlx::core::array> logits;
  std::map<std::string, std::string> failures;
};

/// Answers from the user's cache where the same checkpoint, probe and versions
/// were asked before; otherwise from the worker.
base::Result<NativeReference> native_reference(
    verify::WorkerProcess& worker,
    const std::filesystem::path& checkpoint);

}  // namespace portwright::cli

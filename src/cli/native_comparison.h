#pragma once

#include <filesystem>

#include "report/coverage.h"

namespace portwright::cli {

/// A checkpoint, and folders of torch's answers about it (native_reference.h).
struct NativeQuestion {
  std::string type;
  std::filesystem::path checkpoint;
  /// In `dtype`.
  std::filesystem::path reference;
  /// In float32, which tells torch's own noise; used for other dtypes.
  std::filesystem::path exact;
  std::string dtype = "float32";
};

/// Has our evaluator compute the checkpoint, and says how far it is from
/// torch's answers. In bfloat16 and float16 the dtypes at every module boundary
/// must be torch's, and our distance from float32 within a small multiple of
/// torch's. `library` is the transformers package to read.
report::CoverageRow compare_native(
    const NativeQuestion& question,
    const std::filesystem::path& library);

}  // namespace portwright::cli

#pragma once

#include <filesystem>
#include <span>
#include <vector>

#include "base/result.h"

namespace portwright::cli {

/// Writes row-major float32 values as a .npy file, whole or not at all.
base::Result<void> write_npy(
    const std::filesystem::path& path,
    std::span<const float> values,
    const std::vector<int>& shape);

}  // namespace portwright::cli

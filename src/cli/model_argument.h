#pragma once

#include <filesystem>
#include <optional>

#include "base/paths.h"
#include "cli/environment.h"

namespace portwright::cli {

/// A checkpoint directory that MODEL stands for.
struct ModelDirectory {
  std::filesystem::path path;
  /// Where it was made, for a model type.
  std::optional<base::TemporaryDirectory> made;
};

/// A local directory as it is; a model type as a tiny random checkpoint.
base::Result<ModelDirectory> model_directory(
    const std::string& model,
    const Common& common,
    Console& console);

}  // namespace portwright::cli

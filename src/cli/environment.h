#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "base/result.h"
#include "candidate/install.h"
#include "cli/console.h"
#include "verify/workers.h"

namespace portwright::cli {

/// The Python with our pinned packages: PORTWRIGHT_PYTHON.
base::Result<std::string> our_python();

/// The Python of the reference: --reference-python, else our own.
base::Result<std::string> reference_python(const Common& common);

/// The transformers package folder to read: --transformers (the package
/// folder, its src/, or a checkout's root), else PORTWRIGHT_TRANSFORMERS.
base::Result<std::filesystem::path> transformers_directory(
    const Common& common);

/// Where mlx.nn and mlx_lm are read from: beside our Python.
base::Result<candidate::Packages> mlx_packages();

/// How to start the workers: both Pythons and our own package.
base::Result<verify::Environment> worker_environment(const Common& common);

/// A package and the version that requirements.lock pins.
struct Pin {
  std::string name;
  std::string version;
};
std::vector<Pin> pins();

}  // namespace portwright::cli

#pragma once

#include <filesystem>

#include "base/result.h"
#include "eval/interpreter.h"

namespace portwright::candidate {

/// Where the sources of mlx.nn and mlx_lm lie.
struct Packages {
  std::filesystem::path mlx;     // the folder of nn/ and utils.py
  std::filesystem::path mlx_lm;  // the folder of models/
};

/// The packages beside an interpreter: `python` is bin/python of an
/// environment that has mlx and mlx-lm installed.
base::Result<Packages> find_packages(const std::filesystem::path& python);

/// Makes `import mlx.core` answer our own vocabulary, and mlx.nn, mlx.utils
/// and mlx_lm.models be read from their own sources, each when it is first
/// imported. Everything else of mlx_lm is absent.
void install_mlx_lm(eval::Interpreter& interp, const Packages& packages);

}  // namespace portwright::candidate

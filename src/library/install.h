#pragma once

#include <string>

#include "eval/interpreter.h"

namespace portwright::library {

/// Makes `import transformers` read from `transformers_dir` (the package
/// folder), with what is not plain model code replaced by ours, and
/// huggingface_hub answer what configs need of it. torch is installed too.
void install_library(
    eval::Interpreter& interp,
    const std::string& transformers_dir);

/// Has the larger modules parsed that every evaluation of a model comes to,
/// beside what else goes on.
void read_ahead(eval::Interpreter& interp);

/// The version that the package folder states; "0.0.0" when it states none.
std::string transformers_version(const std::string& transformers_dir);

/// The folder that `auto_map` refers to: its files become
/// `transformers_modules.<file>`.
void register_checkpoint_code(
    eval::Interpreter& interp,
    const std::string& directory);

}  // namespace portwright::library

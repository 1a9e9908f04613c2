#pragma once

#include <string>

#include "eval/interpreter.h"

namespace portwright::library {

/// transformers.models and its packages, whose __init__ files fill themselves
/// in by scanning their folders. Ours find a name in the package's
/// configuration_*.py and modeling_*.py files when it is asked for.
void register_model_packages(
    eval::Interpreter& interp,
    const std::string& transformers_dir);

}  // namespace portwright::library

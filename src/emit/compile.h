#pragma once

#include <filesystem>
#include <memory>

#include <nlohmann/json.hpp>

#include "emit/emit.h"
#include "library/model.h"

namespace portwright::emit {

/// One recorded evaluation with what keeps it alive.
struct Recording {
  std::unique_ptr<trace::Trace> trace;
  Evaluation evaluation;
};

/// Builds the causal LM of a config and records its construction and one
/// continuation: several rows of several ids after a cached prefix.
library::Evaluated<Recording> record(
    eval::Interpreter& interp,
    const nlohmann::json& config);

/// The recording's module-call tree with the idioms found in it, as text.
library::Evaluated<std::string> print_lifted(
    eval::Interpreter& interp,
    const Recording& recording);

/// Time each stage took, in milliseconds.
struct Timings {
  double record = 0, emit = 0;
};

/// The model file for a config. The interpreter has the library installed.
library::Evaluated<Emitted> compile(
    eval::Interpreter& interp,
    const nlohmann::json& config,
    Timings* timings = nullptr);

}  // namespace portwright::emit

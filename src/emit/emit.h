#pragma once

#include <string>
#include <vector>

#include "emit/context.h"

namespace portwright::emit {

/// The emitted mlx-lm file, or what stands in its way.
struct Emitted {
  std::string text;  // laid out as black leaves it; with holes: the draft
  std::vector<diagnostics::Diagnostic> holes;
  std::vector<std::string> guards;  // configs that the file refuses, in words
};

/// Turns one traced evaluation of a causal LM into a model file.
Emitted emit_model(eval::Interpreter& interp, const Evaluation& evaluation);

/// `@dataclass class ModelArgs`, for the fields the file reads.
std::string write_arguments(Context& context, std::vector<std::string>& guards);

/// The sanitize method, "" when nothing needs renaming.
std::string write_sanitize(Context& context);

}  // namespace portwright::emit

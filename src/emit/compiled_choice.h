#pragma once

#include "emit/context.h"

namespace portwright::emit {

/// Functions of a file: the text of each from its parameters on.
using ChoiceFunctions = std::map<std::string, std::string>;

/// The choice of experts in a forward that is written already, as mlx_lm has
/// it: groups are ranked only where some of them are not chosen,
///
///     if self.topk_group < self.n_group:
///         grouped = ...
///
/// and statements from scores to the chosen ones that read arrays and scalars
/// alone become a function of their own, which MLX compiles. Answers that
/// function's text, "" where nothing is worth one or `functions` has it.
std::string compile_choice(ClassText& text, ChoiceFunctions& functions);

}  // namespace portwright::emit

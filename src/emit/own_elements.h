#pragma once

#include <string>

#include "emit/context.h"

namespace portwright::emit {

/// Where the n-th layer of a kind has a list with a module for each of them and
/// uses the n-th alone, the trace keeps that one, as the list's first; noted in
/// `evaluation`. Nothing is done where the config's layer_types does not tell.
void keep_own_elements(
    eval::Interpreter& interp,
    Trace& trace,
    Evaluation& evaluation);

/// Statements of sanitize that do the same; "" without such lists.
std::string own_elements(Context& context);

}  // namespace portwright::emit

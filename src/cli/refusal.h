#pragma once

#include "cli/console.h"

namespace portwright::cli {

/// Shows a fault of the user's input and answers {"holes": [it]}. What is
/// wrong with the checkpoint's files is the world's, everything else refused.
ExitCode refuse(Console& console, const diagnostics::Diagnostic& diagnostic);

}  // namespace portwright::cli

#pragma once

#include "emit/context.h"

namespace portwright::emit {

/// Adds to the trace's selectors the config's texts that chose by a plain dict
/// of the model's module, as ACT_FNS[config.afn]: those that are a key of it
/// whose value, a module, a function or a class, the model uses.
void note_choices(
    eval::Interpreter& interp,
    Trace& trace,
    const Evaluation& evaluation);

}  // namespace portwright::emit

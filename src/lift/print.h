#pragma once

#include <string>

#include "eval/interpreter.h"
#include "lift/graph.h"

namespace portwright::lift {

/// Readable text: the tree of modules, each with what its result is computed
/// from: idioms, calls of submodules, and the operations that none covers.
std::string print(
    eval::Interpreter& interp,
    const Trace& trace,
    const Flows& flows,
    ValueId positions);

}  // namespace portwright::lift

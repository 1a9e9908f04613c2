#pragma once

#include "eval/interpreter.h"

namespace portwright::candidate {

/// What carries weights from the source's model to the port:
/// portwright.source_weights and the native functions it needs.
void install_bridge(eval::Interpreter& interp);

}  // namespace portwright::candidate

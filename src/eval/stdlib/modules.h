#pragma once

#include "eval/interpreter.h"

namespace portwright::eval {

/// Makes the standard library's modules importable.
void register_modules(Interpreter& interp);

}  // namespace portwright::eval

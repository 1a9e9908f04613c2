#pragma once

#include <string_view>

#include "eval/interpreter.h"

// The standard library's modules: some in C++, most in Python texts of ours.
// What is not here does not import.

namespace portwright::eval {

/// Makes the standard library's modules importable.
void register_modules(Interpreter& interp);

void define_math(Interpreter& interp, ModuleObject& module);
void define_operator_module(Interpreter& interp, ModuleObject& module);
void define_copy(Interpreter& interp, ModuleObject& module);
void define_json(Interpreter& interp, ModuleObject& module);
void define_re(Interpreter& interp, ModuleObject& module);
/// `_portwright`: what the Python texts need and Python cannot say.
void define_support(Interpreter& interp, ModuleObject& module);

/// Modules that touch the world: every attribute is a function that refuses.
void register_refused_modules(Interpreter& interp);

}  // namespace portwright::eval

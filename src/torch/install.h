#pragma once

#include "eval/interpreter.h"
#include "torch/state.h"

namespace portwright::torch {

// The parts of install_torch().

void install_tensor_class(eval::Interpreter& interp, State& state);
void install_tensor_protocol(eval::Interpreter& interp, State& state);
void install_value_classes(eval::Interpreter& interp, State& state);
void install_random(eval::Interpreter& interp, State& state);
void install_random_functions(eval::ModuleObject& module);
void install_module_base(eval::Interpreter& interp, eval::ModuleObject& into);
void register_modules(eval::Interpreter& interp, State& state);

}  // namespace portwright::torch

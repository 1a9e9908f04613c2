#pragma once

#include "eval/interpreter.h"

namespace portwright::emit {

/// True when a config keeps its rotary parameters in `rope_parameters`, false
/// for the flat fields `rope_theta` and `rope_scaling` alone.
bool has_rope_parameters(eval::Interpreter& interp, const eval::Value& config);

/// The rotary parameters of a config, one set or one for each kind of layer.
/// Flat fields are brought together into such a set. Undefined or what the
/// config has there when that is none.
eval::Value rope_sets(eval::Interpreter& interp, const eval::Value& config);

}  // namespace portwright::emit

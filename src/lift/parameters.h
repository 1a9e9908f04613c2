#pragma once

#include "eval/interpreter.h"
#include "lift/graph.h"

namespace portwright::lift {

/// The parameter of which a value is -exp; 0 when it is something else.
ValueId
negative_exponential(eval::Interpreter& interp, const Trace& trace, ValueId id);

/// The parameter that a value is, whatever its dtype; 0 when it is none.
ValueId
same_parameter(eval::Interpreter& interp, const Trace& trace, ValueId id);

}  // namespace portwright::lift

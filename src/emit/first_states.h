#pragma once

#include <functional>
#include <map>
#include <string>

#include "eval/interpreter.h"
#include "trace/recorder.h"

namespace portwright::emit {

/// What the states that a caller keeps for its layers (emit/layer_states.h) are
/// before a first forward, by place: the number that all of a state is, NaN
/// where there are several. `forward` runs the model anew, and answers what it
/// keeps; what is recorded of it is forgotten.
std::map<std::string, float> find_first_states(
    eval::Interpreter& interp,
    trace::Recorder& recorder,
    const std::function<eval::Value()>& forward);

}  // namespace portwright::emit

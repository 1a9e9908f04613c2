#pragma once

#include <string>

#include "trace/trace.h"

namespace portwright::trace {

/// "%12", or "@path" of a parameter or buffer.
std::string value_text(const Trace& trace, ValueId id);

/// "%12 = add(%10, %11) : float32[2,5] 'hidden_states'"
std::string op_text(const Trace& trace, const OpNode& op);

}  // namespace portwright::trace

#pragma once

#include "lift/attention.h"

namespace portwright::lift {

/// True when the recorded output is mx.fast.scaled_dot_product_attention, or
/// with a softcap its written-out form, of random queries, keys, values,
/// biases and sinks; in bfloat16 too where `half` shows it.
bool equals_fused(
    eval::Interpreter& interp,
    const Trace& trace,
    const Flows& flows,
    const Attention& attention,
    const trace::Twin* half);

}  // namespace portwright::lift

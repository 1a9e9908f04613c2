#pragma once

#include "emit/context.h"

namespace portwright::emit {

/// True for a scalar that a loop of the source's counts other than the one over
/// layers: its rounds are written out, with the number of each.
bool is_unrolled(
    const Context& context,
    const Frame& frame,
    const eval::Provenance* p);

/// What is written out runs as often as it did: a guard for each loop over a
/// field of the config in a layer; a hole where its length is of no one field.
void serve_loops(
    Context& context,
    const Frame& frame,
    const eval::Provenance* p);

}  // namespace portwright::emit

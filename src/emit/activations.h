#pragma once

#include "emit/context.h"

namespace portwright::emit {

/// The entries of a registry of activation modules, by key, that the file
/// offers: {"gelu", "nn.gelu"}. Each was compared with mlx.nn's formula on a
/// range of values, the tails included.
ActivationTable activation_table(Context& context, const eval::Value& registry);

/// The frame of the activation whose output a value is, when the config chose
/// it from a registry by a field and the file can look it up by that field;
/// null otherwise. `within` is the module whose forward is written.
const Frame*
selected_activation(Context& context, ValueId id, const Frame& within);

/// Notes the fields whose choice some part of the frame has taken for good.
void note_specialised(Context& context, const Frame& frame);

/// The same for the activation whose output a value is: a fused form serves
/// that one alone.
void take_for_good(Context& context, ValueId id);

}  // namespace portwright::emit

#pragma once

#include "emit/statements.h"

namespace portwright::emit::sharding {

/// Gives what lies below a layer ("layer.self_attn", "layer.mlp.experts") a
/// local name where that makes fewer lines of these, the body of a loop over
/// the layers: "attn = layer.self_attn". `column` is where they begin.
void use_local_names(Lines& lines, size_t column);

}  // namespace portwright::emit::sharding

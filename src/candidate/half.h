#pragma once

#include "candidate/proof.h"

namespace portwright::candidate {

/// The port in bfloat16 beside the source in bfloat16, both with random
/// weights: no module answers in float32 where the source's does not, and the
/// logits lie as near to float32's as the source's do; where they do not in a
/// few rows, many rows tell. MoE experts
/// are computed in float32 and rounded: MLX's CPU backend has nothing else.
/// `source` is the source's model in float32, whose weights change.
/// Throws what ends the evaluation of the port; a source that cannot be
/// evaluated in bfloat16 is a skipped check.
ProofCheck check_half(
    eval::Interpreter& interp,
    const eval::Value& module,
    const nlohmann::json& config,
    const eval::Value& source);

}  // namespace portwright::candidate

#pragma once

#include <vector>

#include "lift/grouped_experts.h"

namespace portwright::lift {

/// Experts that the source runs one after the other, each over the rows that
/// chose it, however it picks those rows and brings the answers together: a
/// loop over modules of a list or over slices of parameters, with index_add,
/// stores by index or mask, or one concatenation. They are one (N, O) value of
/// the forward, `sums`, found by what it is computed from: rows (N, H), indices
/// and, where there are any, weights, which agrees with the stacked form on
/// random rows, weights and parameters under the recorded choices, in bfloat16
/// too where `half` has the same choices. Tokens may be (B, L) for N.
std::vector<GroupedExperts> lift_routed_experts(
    eval::Interpreter& interp,
    const Trace& trace,
    const Graph& graph,
    const trace::Twin* half = nullptr);

}  // namespace portwright::lift

#pragma once

#include <vector>

#include "eval/interpreter.h"
#include "lift/experts.h"
#include "trace/twin.h"

namespace portwright::lift {

/// Experts over rows that the source sorts by expert, splits by how many each
/// expert has, and brings back to their order:
///   out[c] = [w[c] *] expert[e] x[c],  a row for each of N * K choices c,
/// or the sum of the K rows of a token.
struct GroupedExperts {
  ValueId input = 0;    // (N, H), or (N * K, H) where `each_choice`
  ValueId indices = 0;  // (N, K), integers, or (N)
  ValueId weights = 0;  // (N, K), or none
  ValueId output = 0;   // (N, O) where `sums`, else (N * K, O)
  /// What lies between, where that is known.
  std::vector<const OpNode*> inside;
  bool each_choice = false;
  bool sums = false;
  /// Of several products all is set, of a single one `last` alone. Parameters
  /// are named below the module.
  Experts experts;
  bool is_single() const {
    return experts.first.empty();
  }
};

/// Those in a module's forward whose form without groups agrees on random rows
/// and weights, in bfloat16 too where `half` shows it.
std::vector<GroupedExperts> lift_grouped_experts(
    eval::Interpreter& interp,
    const Trace& trace,
    const Graph& graph,
    const trace::Twin* half = nullptr);

}  // namespace portwright::lift

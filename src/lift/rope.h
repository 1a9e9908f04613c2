#pragma once

#include <optional>
#include <vector>

#include "eval/interpreter.h"
#include "lift/graph.h"

namespace portwright::lift {

/// A rotary position embedding of the first `dims` channels.
struct Rope {
  ValueId input = 0;   // (B, H, L, D), or (B, L, H, D) with heads_last
  ValueId output = 0;  // (B, H, L, D)
  int dims = 0;
  bool traditional = false;  // pairs (2i, 2i+1), else (i, i + dims / 2)
  bool heads_last = false;
  /// The input's channels are (2i, 2i+1) where the output's are (i, i + D / 2).
  bool deinterleaves = false;
  std::vector<double> frequencies;  // radians per position, dims / 2 of them
  double magnitude = 1;             // on the rotated channels

  /// base ** (-2 i / dims) to float32 accuracy.
  bool has_base(double base) const;
};

/// Finds what turns a position-free value into `output` by rotation, by
/// probing: it reads off pairing, frequencies and magnitude, and accepts them
/// when mx.fast.rope reproduces the source at near and far positions.
std::optional<Rope> lift_rope(
    eval::Interpreter& interp,
    const Trace& trace,
    const Flows& flows,
    const Graph& graph,
    ValueId positions,
    ValueId output);

}  // namespace portwright::lift

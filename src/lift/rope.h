#pragma once

#include <functional>
#include <optional>
#include <vector>

#include "eval/interpreter.h"
#include "lift/graph.h"
#include "trace/twin.h"

namespace portwright::lift {

/// How pairs of channels turn.
struct Rotation {
  std::vector<double> frequencies;  // radians per position, one for each pair
  double magnitude = 1;             // on the rotated channels
};

/// Equal to float32 accuracy.
bool agree(const Rotation& a, const Rotation& b);

/// 1 where a value holds the rotation's frequencies, one after the other, -1
/// where it holds their opposites, else 0.
int holds_frequencies(const Trace& trace, ValueId id, const Rotation& rotation);

/// A rotary position embedding of the first `dims` channels.
struct Rope {
  ValueId input = 0;   // (B, H, L, D), or (B, L, H, D) with heads_last
  ValueId output = 0;  // (B, H, L, D), or (B, L, H, D) with output_heads_last
  int dims = 0;
  bool traditional = false;  // pairs (2i, 2i+1), else (i, i + dims / 2)
  bool heads_last = false;
  bool output_heads_last = false;
  /// The even channels of the rotated ones come first, then the odd ones: of
  /// no matter to the product of two such outputs.
  bool deinterleaved = false;
  /// As the first positions turn. Negative frequencies turn the other way.
  Rotation rotation;
  /// False when far positions turn otherwise: the rotation depends on the
  /// length of the sequence.
  bool steady = true;
};

/// Finds what turns a position-free value into `output` by rotation, by
/// probing: it reads off pairing, frequencies and magnitude, and accepts them
/// when mx.fast.rope reproduces the source at near and, where it is steady,
/// far positions, in bfloat16 too where `half` shows it.
std::optional<Rope> lift_rope(
    eval::Interpreter& interp,
    const Trace& trace,
    const Flows& flows,
    const Graph& graph,
    ValueId positions,
    ValueId output,
    const trace::Twin* half = nullptr);

/// True when the source turns by `law(length)` in a sequence of that length,
/// at each of `lengths` (ascending; the last positions are looked at). Parts
/// of the source that decide by the positions are evaluated anew.
bool follows(
    eval::Interpreter& interp,
    const Trace& trace,
    ValueId positions,
    const Rope& rope,
    const std::function<Rotation(int)>& law,
    const std::vector<int>& lengths);

}  // namespace portwright::lift

#pragma once

#include <vector>

#include "lift/proof.h"
#include "lift/rope.h"
#include "trace/replay.h"

namespace portwright::lift {

/// The source's rotation at chosen positions.
class RopeSource {
 public:
  RopeSource(
      eval::Interpreter& interp,
      const Trace& trace,
      ValueId positions,
      const Rope& rope);

  /// Positions in one evaluation.
  int length() const {
    return length_;
  }
  const mx::Shape& shape() const {
    return shape_;
  }

  /// The output, heads first, for input `x` at positions from `offset` on.
  mx::array operator()(const mx::array& x, int offset);

  /// Parts of the source decide by the positions: its recorded operations do
  /// not say all.
  bool evaluates_anew() const {
    return !deciding_.empty();
  }

  /// False when the source has no such positions (a table that ends).
  bool has(int offset);

 private:
  void find_deciding(const Frame& frame);
  void call_anew(const Frame& frame, trace::Replay& replay);

  eval::Interpreter& interp_;
  const Trace& trace_;
  ValueId positions_;
  const Rope& rope_;
  std::vector<const Frame*> deciding_;
  mx::Shape shape_;
  int length_ = 0;
};

/// `x` with heads first, as mx.fast.rope reads it.
mx::array heads_first(const Rope& rope, const mx::array& x);

/// Whether mx.fast.rope with `rotation` is the source at positions from each of
/// the offsets on.
std::vector<bool> turns_by(
    RopeSource& source,
    const Rope& rope,
    const Rotation& rotation,
    const std::vector<int>& offsets);

/// True when it is of large values too, which a bound would cut.
bool turns_large(
    RopeSource& source,
    const Rope& rope,
    const Rotation& rotation);

/// True when mx.fast.rope turns no worse than the source in bfloat16, at the
/// positions of the recording; `half` may be null.
bool turns_in_half(
    eval::Interpreter& interp,
    const Trace& trace,
    const trace::Twin* half,
    ValueId positions,
    const Rope& rope);

}  // namespace portwright::lift

#include "lift/rope_proof.h"

#include <cmath>
#include <numeric>

namespace portwright::lift {

namespace {

bool reads_data(const eval::Provenance* p) {
  return p && (p->kind == eval::Provenance::Kind::Data || reads_data(p->left) ||
               reads_data(p->right) || reads_data(p->test));
}

bool decides(const Frame& frame) {
  for (const auto& item : frame.items) {
    if (const auto* branch = std::get_if<trace::Branch>(&item)) {
      if (reads_data(branch->condition)) {
        return true;
      }
    } else if (const auto* child = std::get_if<std::unique_ptr<Frame>>(&item)) {
      if (decides(**child)) {
        return true;
      }
    }
  }
  return false;
}

}  // namespace

RopeSource::RopeSource(
    eval::Interpreter& interp,
    const Trace& trace,
    ValueId positions,
    const Rope& rope)
    : interp_(interp), trace_(trace), positions_(positions), rope_(rope) {
  shape_ = shape_of(trace, rope.input);
  length_ = static_cast<int>(trace.info(positions).shape.back());
  find_deciding(trace.root);
}

mx::array RopeSource::operator()(const mx::array& x, int offset) {
  trace::Replay replay(interp_, trace_);
  replay.replace(
      positions_,
      mx::broadcast_to(
          mx::arange(offset, offset + length_, mx::int64),
          shape_of(trace_, positions_)));
  replay.replace(rope_.input, x);
  for (const Frame* frame : deciding_) {
    call_anew(*frame, replay);
  }
  const auto out = replay.compute(rope_.output);
  return rope_.output_heads_last ? mx::transpose(out, {0, 2, 1, 3}) : out;
}

bool RopeSource::has(int offset) {
  try {
    (*this)(mx::zeros(shape_), offset);
    return true;
  } catch (const eval::PythonError&) {
    return false;
  }
}

/// Modules without weights that choose by the elements of a tensor: what
/// was recorded holds for the recorded positions alone.
void RopeSource::find_deciding(const Frame& frame) {
  for (const auto& item : frame.items) {
    if (const auto* child = std::get_if<std::unique_ptr<Frame>>(&item)) {
      const Frame& f = **child;
      if (f.is_module() && !has_parameters(trace_, f.path) && decides(f)) {
        deciding_.push_back(&f);
      } else {
        find_deciding(f);
      }
    }
  }
}

void RopeSource::call_anew(const Frame& frame, trace::Replay& replay) {
  std::vector<eval::Value> args;
  size_t next = 0;
  bool moved = false;
  for (size_t i = 1; i < frame.args.size(); ++i) {
    if (torch::as_tensor(frame.args[i])) {
      const ValueId id = frame.inputs[next++];
      moved = moved || replay.depends(id);
      args.emplace_back(torch::make_tensor(interp_, replay.compute(id)));
    } else {
      args.push_back(frame.args[i]);
    }
  }
  if (!moved) {
    return;
  }
  const eval::Value result = interp_.call(frame.module, std::move(args));
  const auto results = trace::tensors_in(result);
  for (size_t i = 0; i < results.size() && i < frame.outputs.size(); ++i) {
    replay.replace(frame.outputs[i], torch::array_of(*results[i]));
  }
}

mx::array heads_first(const Rope& rope, const mx::array& x) {
  return rope.heads_last ? mx::transpose(x, {0, 2, 1, 3}) : x;
}

namespace {

/// The even ones of the first channels, the odd ones of them, the rest.
mx::array deinterleaved(const mx::array& x, int dims) {
  std::vector<int> order(x.shape(-1));
  std::iota(order.begin(), order.end(), 0);
  for (int i = 0; i < dims / 2; ++i) {
    order[i] = 2 * i;
    order[i + dims / 2] = 2 * i + 1;
  }
  const int depth = static_cast<int>(order.size());
  return mx::take(x, mx::array(order.data(), {depth}, mx::int32), -1);
}

/// mx.fast.rope with `rotation` at positions from `offset` on.
mx::array turned(
    const Rope& rope,
    const Rotation& rotation,
    const mx::array& x,
    int offset) {
  const int depth = x.shape(-1);
  std::vector<float> periods;
  for (double f : rotation.frequencies) {
    periods.push_back(static_cast<float>(f == 0 ? 1e30 : 1 / f));
  }
  auto scaled = heads_first(rope, x);
  if (std::abs(rotation.magnitude - 1) > 1e-6) {
    std::vector<float> factors(depth, 1.0f);
    std::fill_n(
        factors.begin(), rope.dims, static_cast<float>(rotation.magnitude));
    const mx::array all(factors.data(), {depth}, mx::float32);
    scaled = mx::multiply(scaled, mx::astype(all, x.dtype()));
  }
  auto fused = mx::fast::rope(
      scaled,
      rope.dims,
      rope.traditional,
      std::nullopt,
      1.0f,
      offset,
      mx::array(periods.data(), {rope.dims / 2}, mx::float32));
  return rope.deinterleaved ? deinterleaved(fused, rope.dims) : fused;
}

}  // namespace

std::vector<bool> turns_by(
    RopeSource& source,
    const Rope& rope,
    const Rotation& rotation,
    const std::vector<int>& offsets) {
  std::vector<std::pair<mx::array, mx::array>> pairs;
  for (int offset : offsets) {
    const auto x = random(source.shape(), 22 + offset);
    pairs.emplace_back(turned(rope, rotation, x, offset), source(x, offset));
  }
  const auto errors = relative_errors(pairs);
  std::vector<bool> out;
  for (size_t i = 0; i < errors.size(); ++i) {
    // Angles at position p carry p times the rounding of a frequency.
    out.push_back(errors[i] < kTolerance + 4e-7 * offsets[i]);
  }
  return out;
}

bool turns_large(
    RopeSource& source,
    const Rope& rope,
    const Rotation& rotation) {
  constexpr int kOffset = 1;
  const auto x = random(source.shape(), 24, 1e4f);
  const auto errors = relative_errors(
      {{turned(rope, rotation, x, kOffset), source(x, kOffset)}});
  return errors.front() < kTolerance;
}

bool turns_in_half(
    eval::Interpreter& interp,
    const Trace& trace,
    const trace::Twin* half,
    ValueId positions,
    const Rope& rope) {
  const auto recorded =
      torch::array_of(*torch::as_tensor(trace.info(positions).tensor));
  const int offset = mx::min(recorded).item<int>();
  Given given{{rope.input, random(shape_of(trace, rope.input), 23)}};
  if (torch::as_tensor(trace.info(positions).tensor)->value_id != positions) {
    given.emplace(positions, recorded);  // changed in place since
  }
  return agree_in_half(
      interp, trace, half, given, rope.output, [&](const Given& given) {
        const auto y =
            turned(rope, rope.rotation, given.at(rope.input), offset);
        return rope.output_heads_last ? mx::transpose(y, {0, 2, 1, 3}) : y;
      });
}

}  // namespace portwright::lift

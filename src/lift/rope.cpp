#include "lift/rope.h"

#include <cmath>
#include <unordered_set>

#include "lift/proof.h"
#include "trace/replay.h"

namespace portwright::lift {

bool Rope::has_base(double base) const {
  for (size_t i = 0; i < frequencies.size(); ++i) {
    const double expected = std::pow(base, -2.0 * double(i) / dims);
    if (std::abs(frequencies[i] - expected) > 2e-6 * expected + 1e-9) {
      return false;
    }
  }
  return !frequencies.empty();
}

namespace {

using Ids = std::unordered_set<ValueId>;

/// Which values of the graph are read from positions.
class Region {
 public:
  Region(const Flows& flows, const Graph& graph)
      : flows_(flows), graph_(graph) {}

  bool rotated(ValueId id) {
    if (auto it = rotated_.find(id); it != rotated_.end()) {
      return it->second;
    }
    rotated_[id] = false;
    bool answer = false;
    if (const OpNode* op = producer(id); op && flows_.of(id) == Flow::Data) {
      for (ValueId input : op->inputs) {
        const Flow flow = flows_.of(input);
        answer = answer || flow == Flow::Position ||
                 (flow == Flow::Data && rotated(input));
      }
    }
    return rotated_[id] = answer;
  }

  /// The last value without positions that everything rotated into `output`
  /// comes from; 0 when there is no single one.
  ValueId source(ValueId output) {
    std::vector<ValueId> boundary;
    Ids seen;
    collect(output, boundary, seen);
    if (boundary.empty()) {
      return 0;
    }
    Ids common = ancestors(boundary.front());
    for (ValueId id : boundary) {
      const Ids own = ancestors(id);
      std::erase_if(common, [&](ValueId c) { return !own.contains(c); });
    }
    // Ids grow in order of evaluation.
    ValueId last = 0;
    for (ValueId id : common) {
      last = std::max(last, id);
    }
    return last;
  }

 private:
  const OpNode* producer(ValueId id) const {
    auto it = graph_.producers.find(id);
    return it == graph_.producers.end() ? nullptr : it->second.op;
  }

  void collect(ValueId id, std::vector<ValueId>& boundary, Ids& seen) {
    if (!seen.insert(id).second) {
      return;
    }
    if (!rotated(id)) {
      boundary.push_back(id);
      return;
    }
    for (ValueId input : producer(id)->inputs) {
      if (flows_.of(input) == Flow::Data) {
        collect(input, boundary, seen);
      }
    }
  }

  /// The value itself and what it is computed from without weights.
  Ids ancestors(ValueId id) const {
    Ids out{id};
    const OpNode* op = producer(id);
    while (op && !op->inputs.empty()) {
      std::vector<ValueId> data;
      for (ValueId input : op->inputs) {
        if (flows_.of(input) == Flow::Data) {
          data.push_back(input);
        }
      }
      if (data.empty()) {
        break;
      }
      if (data.size() > 1) {  // cat(-x2, x1): join the branches' ancestors
        Ids joined = ancestors(data.front());
        for (ValueId d : data) {
          const Ids own = ancestors(d);
          std::erase_if(joined, [&](ValueId c) { return !own.contains(c); });
        }
        out.insert(joined.begin(), joined.end());
        break;
      }
      out.insert(data.front());
      op = producer(data.front());
    }
    return out;
  }

  const Flows& flows_;
  const Graph& graph_;
  std::unordered_map<ValueId, bool> rotated_;
};

/// Channels (i, i + D / 2) to (2i, 2i+1).
mx::array interleaved(const mx::array& x) {
  const int half = x.shape(-1) / 2;
  return mx::reshape(
      mx::swapaxes(mx::unflatten(x, -1, {2, half}), -1, -2), x.shape());
}

class Probe {
 public:
  Probe(
      eval::Interpreter& interp,
      const Trace& trace,
      ValueId positions,
      Rope& rope)
      : interp_(interp), trace_(trace), positions_(positions), rope_(rope) {
    for (int64_t size : trace.info(rope.input).shape) {
      shape_.push_back(static_cast<int>(size));
    }
    const auto& in = trace.info(rope.input).shape;
    const auto& out = trace.info(rope.output).shape;
    if (in.size() != 4 || out.size() != 4) {
      return;
    }
    const int64_t length = trace.info(positions).shape.back();
    rope.heads_last =
        in != out && in[1] == length && out[2] == length && in[2] == out[1];
    usable_ =
        in[3] == out[3] && (rope.heads_last || in == out) && out[2] == length;
    depth_ = static_cast<int>(out[3]);
    length_ = static_cast<int>(length);
  }

  bool run() {
    return usable_ && find_dims() && find_rotation() && confirm();
  }

 private:
  mx::array source(const mx::array& x, int offset) {
    trace::Replay replay(interp_, trace_);
    mx::Shape shape;
    for (int64_t size : trace_.info(positions_).shape) {
      shape.push_back(static_cast<int>(size));
    }
    replay.replace(
        positions_,
        mx::broadcast_to(
            mx::arange(offset, offset + length_, mx::int64), shape));
    replay.replace(rope_.input, rope_.deinterleaves ? interleaved(x) : x);
    return replay.compute(rope_.output);
  }

  mx::array heads_first(const mx::array& x) const {
    return rope_.heads_last ? mx::transpose(x, {0, 2, 1, 3}) : x;
  }

  /// Channels past `dims` pass unchanged.
  bool find_dims() {
    const auto x = random(shape_, 21);
    auto moved = mx::max(
        mx::abs(mx::subtract(source(x, 5), heads_first(x))),
        std::vector<int>{0, 1, 2});
    moved = mx::astype(moved, mx::float32);
    mx::eval(moved);
    const float* d = moved.data<float>();
    for (int i = 0; i < depth_; ++i) {
      if (d[i] > 1e-6f) {
        rope_.dims = i + 1;
      }
    }
    // A very low frequency may not move its channel visibly: pairs are even.
    rope_.dims += rope_.dims % 2;
    return rope_.dims >= 2;
  }

  /// Unit vectors at position 1 show cosine and sine of each frequency.
  bool find_rotation() {
    for (bool traditional : {false, true}) {
      rope_.traditional = traditional;
      std::vector<float> unit(depth_, 0.0f);
      const int half = rope_.dims / 2;
      for (int i = 0; i < half; ++i) {
        unit[traditional ? 2 * i : i] = 1.0f;
      }
      const auto x = mx::broadcast_to(
          mx::array(unit.data(), {1, 1, 1, depth_}, mx::float32), shape_);
      // The first position of the window is 1.
      auto y = mx::contiguous(mx::astype(
          mx::slice(source(x, 1), {0, 0, 0, 0}, {1, 1, 1, depth_}),
          mx::float32));
      mx::eval(y);
      const float* out = y.data<float>();
      rope_.frequencies.clear();
      rope_.magnitude = 0;
      for (int i = 0; i < half; ++i) {
        const double c = out[traditional ? 2 * i : i];
        const double s = out[traditional ? 2 * i + 1 : i + half];
        rope_.frequencies.push_back(std::atan2(s, c));
        rope_.magnitude = std::max(rope_.magnitude, std::hypot(c, s));
      }
      if (confirm_at(3)) {
        refine();
        return true;
      }
    }
    return false;
  }

  /// A small angle is read more exactly where it has grown: at positions up to
  /// a thousand, each step within the range that cannot wrap around.
  void refine() {
    const int half = rope_.dims / 2;
    std::vector<float> unit(depth_, 0.0f);
    for (int i = 0; i < half; ++i) {
      unit[rope_.traditional ? 2 * i : i] = 1.0f;
    }
    const auto x = mx::broadcast_to(
        mx::array(unit.data(), {1, 1, 1, depth_}, mx::float32), shape_);
    for (int position : {4, 16, 64, 256, 1024}) {
      auto y = mx::contiguous(mx::astype(
          mx::slice(source(x, position), {0, 0, 0, 0}, {1, 1, 1, depth_}),
          mx::float32));
      mx::eval(y);
      const float* out = y.data<float>();
      for (int i = 0; i < half; ++i) {
        const double c = out[rope_.traditional ? 2 * i : i];
        const double s = out[rope_.traditional ? 2 * i + 1 : i + half];
        const double expected = rope_.frequencies[i] * position;
        const double turns =
            std::round((expected - std::atan2(s, c)) / (2 * M_PI));
        rope_.frequencies[i] = (std::atan2(s, c) + 2 * M_PI * turns) / position;
      }
    }
  }

  bool confirm_at(int offset) {
    const auto x = random(shape_, 22 + offset);
    std::vector<float> periods;
    for (double f : rope_.frequencies) {
      periods.push_back(static_cast<float>(f == 0 ? 1e30 : 1 / f));
    }
    const int half = rope_.dims / 2;
    auto scaled = heads_first(x);
    if (std::abs(rope_.magnitude - 1) > 1e-6) {
      std::vector<float> factors(depth_, 1.0f);
      std::fill_n(
          factors.begin(), rope_.dims, static_cast<float>(rope_.magnitude));
      scaled = mx::multiply(
          scaled, mx::array(factors.data(), {depth_}, mx::float32));
    }
    const auto fused = mx::fast::rope(
        scaled,
        rope_.dims,
        rope_.traditional,
        std::nullopt,
        1.0f,
        offset,
        mx::array(periods.data(), {half}, mx::float32));
    // Angles at position p carry p times the rounding of a frequency.
    const double tolerance = kTolerance + 4e-7 * offset;
    return relative_error(fused, source(x, offset)) < tolerance;
  }

  bool confirm() {
    for (int offset : {0, 7, 100, 3000}) {
      if (!confirm_at(offset)) {
        return false;
      }
    }
    return true;
  }

  eval::Interpreter& interp_;
  const Trace& trace_;
  ValueId positions_;
  Rope& rope_;
  mx::Shape shape_;
  bool usable_ = false;
  int depth_ = 0;
  int length_ = 0;
};

}  // namespace

std::optional<Rope> lift_rope(
    eval::Interpreter& interp,
    const Trace& trace,
    const Flows& flows,
    const Graph& graph,
    ValueId positions,
    ValueId output) {
  Region region(flows, graph);
  if (!region.rotated(output)) {
    return {};
  }
  const ValueId input = region.source(output);
  for (const bool deinterleaves : {false, true}) {
    Rope rope;
    rope.output = output;
    rope.input = input;
    rope.deinterleaves =
        deinterleaves && input && trace.info(input).shape.back() % 2 == 0;
    if (input && Probe(interp, trace, positions, rope).run()) {
      return rope;
    }
  }
  return {};
}

}  // namespace portwright::lift

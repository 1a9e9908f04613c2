#include "lift/rope.h"

#include <cmath>
#include <numeric>
#include <unordered_set>
#include <utility>

#include "lift/proof.h"
#include "trace/replay.h"

namespace portwright::lift {

bool agree(const Rotation& a, const Rotation& b) {
  if (a.frequencies.size() != b.frequencies.size() ||
      std::abs(a.magnitude - b.magnitude) > 2e-6 * b.magnitude) {
    return false;
  }
  for (size_t i = 0; i < a.frequencies.size(); ++i) {
    const double expected = b.frequencies[i];
    if (std::abs(a.frequencies[i] - expected) >
        2e-6 * std::abs(expected) + 1e-9) {
      return false;
    }
  }
  return !a.frequencies.empty();
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

  /// The values without positions that everything rotated into `output` comes
  /// from, the last first.
  std::vector<ValueId> sources(ValueId output) {
    std::vector<ValueId> boundary;
    Ids seen;
    collect(output, boundary, seen);
    if (boundary.empty()) {
      return {};
    }
    Ids common = ancestors(boundary.front());
    for (ValueId id : boundary) {
      const Ids own = ancestors(id);
      std::erase_if(common, [&](ValueId c) { return !own.contains(c); });
    }
    // Ids grow in order of evaluation.
    std::vector<ValueId> out(common.begin(), common.end());
    std::sort(out.rbegin(), out.rend());
    return out;
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

/// The source's rotation at chosen positions.
class Source {
 public:
  Source(
      eval::Interpreter& interp,
      const Trace& trace,
      ValueId positions,
      const Rope& rope)
      : interp_(interp), trace_(trace), positions_(positions), rope_(rope) {
    shape_ = shape_of(trace, rope.input);
    length_ = static_cast<int>(trace.info(positions).shape.back());
    find_deciding(trace.root);
  }

  /// Positions in one evaluation.
  int length() const {
    return length_;
  }
  const mx::Shape& shape() const {
    return shape_;
  }

  /// The output, heads first, for input `x` at positions from `offset` on.
  mx::array operator()(const mx::array& x, int offset) {
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

  /// False when the source has no such positions (a table that ends).
  bool has(int offset) {
    try {
      auto y = (*this)(mx::zeros(shape_), offset);
      mx::eval(y);
      return true;
    } catch (const eval::PythonError&) {
      return false;
    }
  }

 private:
  static bool decides(const Frame& frame) {
    for (const auto& item : frame.items) {
      if (const auto* branch = std::get_if<trace::Branch>(&item)) {
        if (reads_data(branch->condition)) {
          return true;
        }
      } else if (
          const auto* child = std::get_if<std::unique_ptr<Frame>>(&item)) {
        if (decides(**child)) {
          return true;
        }
      }
    }
    return false;
  }

  static bool reads_data(const eval::Provenance* p) {
    return p &&
           (p->kind == eval::Provenance::Kind::Data || reads_data(p->left) ||
            reads_data(p->right) || reads_data(p->test));
  }

  /// Modules without weights that choose by the elements of a tensor: what
  /// was recorded holds for the recorded positions alone.
  void find_deciding(const Frame& frame) {
    for (const auto& item : frame.items) {
      if (const auto* child = std::get_if<std::unique_ptr<Frame>>(&item)) {
        const Frame& f = **child;
        if (f.is_module() && parameter_count(trace_, f.path) == 0 &&
            decides(f)) {
          deciding_.push_back(&f);
        } else {
          find_deciding(f);
        }
      }
    }
  }

  void call_anew(const Frame& frame, trace::Replay& replay) {
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

  eval::Interpreter& interp_;
  const Trace& trace_;
  ValueId positions_;
  const Rope& rope_;
  std::vector<const Frame*> deciding_;
  mx::Shape shape_;
  int length_ = 0;
};

mx::array heads_first(const Rope& rope, const mx::array& x) {
  return rope.heads_last ? mx::transpose(x, {0, 2, 1, 3}) : x;
}

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

/// True when mx.fast.rope with `rotation` is the source at positions from
/// `offset` on.
bool turns_by(
    Source& source,
    const Rope& rope,
    const Rotation& rotation,
    int offset) {
  const auto x = random(source.shape(), 22 + offset);
  const int depth = source.shape().back();
  std::vector<float> periods;
  for (double f : rotation.frequencies) {
    periods.push_back(static_cast<float>(f == 0 ? 1e30 : 1 / f));
  }
  auto scaled = heads_first(rope, x);
  if (std::abs(rotation.magnitude - 1) > 1e-6) {
    std::vector<float> factors(depth, 1.0f);
    std::fill_n(
        factors.begin(), rope.dims, static_cast<float>(rotation.magnitude));
    scaled =
        mx::multiply(scaled, mx::array(factors.data(), {depth}, mx::float32));
  }
  auto fused = mx::fast::rope(
      scaled,
      rope.dims,
      rope.traditional,
      std::nullopt,
      1.0f,
      offset,
      mx::array(periods.data(), {rope.dims / 2}, mx::float32));
  if (rope.deinterleaved) {
    fused = deinterleaved(fused, rope.dims);
  }
  // Angles at position p carry p times the rounding of a frequency.
  const double tolerance = kTolerance + 4e-7 * offset;
  return relative_error(fused, source(x, offset)) < tolerance;
}

class Probe {
 public:
  Probe(
      eval::Interpreter& interp,
      const Trace& trace,
      ValueId positions,
      Rope& rope)
      : source_(interp, trace, positions, rope), rope_(rope) {
    const auto& in = trace.info(rope.input).shape;
    const auto& out = trace.info(rope.output).shape;
    if (in.size() != 4 || out.size() != 4) {
      return;
    }
    const int64_t length = source_.length();
    rope.output_heads_last = out[1] == length && out[2] != length;
    rope.heads_last = in[1] == length && in[2] != length;
    const int64_t heads = in[rope.heads_last ? 2 : 1];
    usable_ = in[3] == out[3] && in[0] == out[0] &&
              in[rope.heads_last ? 1 : 2] == length &&
              out[rope.output_heads_last ? 1 : 2] == length &&
              out[rope.output_heads_last ? 2 : 1] == heads;
    depth_ = static_cast<int>(out[3]);
  }

  bool run() {
    if (!usable_ || !find_dims()) {
      return false;
    }
    if (find_rotation() && confirm()) {
      return true;
    }
    // Pairs of a whole head's halves, the last of which stand still.
    rope_.steady = true;
    return std::exchange(rope_.dims, depth_ - depth_ % 2) < depth_ &&
           find_rotation() && confirm();
  }

 private:
  /// Channels past `dims` pass unchanged.
  bool find_dims() {
    const auto x = random(source_.shape(), 21);
    auto moved = mx::max(
        mx::abs(mx::subtract(source_(x, 5), heads_first(rope_, x))),
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

  struct Turn {
    double cosine, sine;
  };

  /// What the first channel of each pair becomes at a position.
  std::vector<Turn> turns_at(int position) {
    const bool traditional = rope_.traditional;
    const int half = rope_.dims / 2;
    std::vector<float> unit(depth_, 0.0f);
    for (int i = 0; i < half; ++i) {
      unit[traditional ? 2 * i : i] = 1.0f;
    }
    const auto x = mx::broadcast_to(
        mx::array(unit.data(), {1, 1, 1, depth_}, mx::float32),
        source_.shape());
    auto y = mx::contiguous(mx::astype(
        mx::slice(source_(x, position), {0, 0, 0, 0}, {1, 1, 1, depth_}),
        mx::float32));
    mx::eval(y);
    const float* out = y.data<float>();
    std::vector<Turn> turns;
    for (int i = 0; i < half; ++i) {
      const bool apart = !traditional || rope_.deinterleaved;
      turns.push_back(
          {out[apart ? i : 2 * i], out[apart ? i + half : 2 * i + 1]});
    }
    return turns;
  }

  /// Unit vectors at position 1 show cosine and sine of each frequency.
  bool find_rotation() {
    const std::pair<bool, bool> kPairings[] = {
        {false, false}, {true, false}, {true, true}};
    for (auto [traditional, deinterleaved] : kPairings) {
      rope_.traditional = traditional;
      rope_.deinterleaved = deinterleaved;
      rope_.rotation = {{}, 0};
      for (const Turn& t : turns_at(1)) {
        rope_.rotation.frequencies.push_back(std::atan2(t.sine, t.cosine));
        rope_.rotation.magnitude =
            std::max(rope_.rotation.magnitude, std::hypot(t.cosine, t.sine));
      }
      if (turns_by(source_, rope_, rope_.rotation, 3)) {
        refine();
        return true;
      }
    }
    return false;
  }

  /// A small angle is read more exactly where it has grown: at positions up to
  /// a thousand, each step within the range that cannot wrap around.
  void refine() {
    for (int position : {4, 16, 64, 256, 1024}) {
      if (!source_.has(position)) {
        return;
      }
      const auto turns = turns_at(position);
      std::vector<double> refined;
      for (size_t i = 0; i < turns.size(); ++i) {
        const double turn = std::atan2(turns[i].sine, turns[i].cosine);
        const double expected = rope_.rotation.frequencies[i] * position;
        const double rounds = std::round((expected - turn) / (2 * M_PI));
        if (std::abs(turn + 2 * M_PI * rounds - expected) > 1e-2) {
          rope_.steady = false;
          return;
        }
        refined.push_back((turn + 2 * M_PI * rounds) / position);
      }
      rope_.rotation.frequencies = refined;
    }
  }

  bool confirm() {
    for (int offset : {0, 1}) {
      if (!turns_by(source_, rope_, rope_.rotation, offset)) {
        return false;
      }
    }
    for (int offset : {7, 100, 3000}) {
      rope_.steady =
          rope_.steady && (!source_.has(offset) ||
                           turns_by(source_, rope_, rope_.rotation, offset));
    }
    return true;
  }

  Source source_;
  Rope& rope_;
  bool usable_ = false;
  int depth_ = 0;
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
  Rope rope;
  rope.output = output;
  const auto& to = trace.info(output).shape;
  for (ValueId id : region.sources(output)) {
    const auto& from = trace.info(id).shape;
    // Pairs may have been put into complex numbers on the way.
    if (from.size() == 4 && to.size() == 4 && from.back() == to.back()) {
      rope.input = id;
      return Probe(interp, trace, positions, rope).run() ? std::optional(rope)
                                                         : std::nullopt;
    }
  }
  return {};
}

bool follows(
    eval::Interpreter& interp,
    const Trace& trace,
    ValueId positions,
    const Rope& rope,
    const std::function<Rotation(int)>& law,
    const std::vector<int>& lengths) {
  Source source(interp, trace, positions, rope);
  bool agrees = true;
  for (int length : lengths) {
    const int offset = std::max(0, length - source.length());
    agrees =
        agrees && turns_by(source, rope, law(offset + source.length()), offset);
  }
  // What modules remember of long sequences is forgotten in a short one.
  source.has(0);
  return agrees;
}

}  // namespace portwright::lift

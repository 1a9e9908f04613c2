#include "lift/rope.h"

#include <algorithm>
#include <cmath>
#include <unordered_set>
#include <utility>

#include "lift/memory.h"
#include "lift/rope_proof.h"

namespace portwright::lift {

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
  /// from, the last first. None where weights have a part in it.
  std::vector<ValueId> sources(ValueId output) {
    std::vector<ValueId> boundary;
    Ids seen;
    if (!collect(output, boundary, seen) || boundary.empty()) {
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

  bool collect(ValueId id, std::vector<ValueId>& boundary, Ids& seen) {
    if (!seen.insert(id).second) {
      return true;
    }
    if (!rotated(id)) {
      boundary.push_back(id);
      return true;
    }
    const auto& inputs = producer(id)->inputs;
    return std::all_of(inputs.begin(), inputs.end(), [&](ValueId input) {
      const Flow flow = flows_.of(input);
      return flow != Flow::Parameter &&
             (flow != Flow::Data || collect(input, boundary, seen));
    });
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

  using Turns = std::vector<Turn>;

  /// What the first channel of each pair becomes at each of the positions.
  std::vector<Turns> turns_at(const std::vector<int>& positions) {
    const bool traditional = rope_.traditional;
    const int half = rope_.dims / 2;
    std::vector<float> unit(depth_, 0.0f);
    for (int i = 0; i < half; ++i) {
      unit[traditional ? 2 * i : i] = 1.0f;
    }
    const auto x = mx::broadcast_to(
        mx::array(unit.data(), {1, 1, 1, depth_}, mx::float32),
        source_.shape());
    std::vector<mx::array> heads;
    for (int position : positions) {
      heads.push_back(mx::contiguous(mx::astype(
          mx::slice(source_(x, position), {0, 0, 0, 0}, {1, 1, 1, depth_}),
          mx::float32)));
    }
    mx::eval(heads);
    const bool apart = !traditional || rope_.deinterleaved;
    std::vector<Turns> out;
    for (const mx::array& head : heads) {
      const float* y = head.data<float>();
      Turns& turns = out.emplace_back();
      for (int i = 0; i < half; ++i) {
        turns.push_back(
            {y[apart ? i : 2 * i], y[apart ? i + half : 2 * i + 1]});
      }
    }
    return out;
  }

  bool turns_at_all(const std::vector<int>& offsets) {
    const auto turns = turns_by(source_, rope_, rope_.rotation, offsets);
    return std::find(turns.begin(), turns.end(), false) == turns.end();
  }

  /// Unit vectors at position 1 show cosine and sine of each frequency.
  bool find_rotation() {
    const std::pair<bool, bool> kPairings[] = {
        {false, false}, {true, false}, {true, true}};
    for (auto [traditional, deinterleaved] : kPairings) {
      rope_.traditional = traditional;
      rope_.deinterleaved = deinterleaved;
      rope_.rotation = {{}, 0};
      const Turns first = turns_at({1}).front();
      for (const Turn& t : first) {
        rope_.rotation.frequencies.push_back(std::atan2(t.sine, t.cosine));
        rope_.rotation.magnitude =
            std::max(rope_.rotation.magnitude, std::hypot(t.cosine, t.sine));
      }
      if (turns_at_all({3})) {
        refine();
        return true;
      }
    }
    return false;
  }

  /// Those that the source has, up to the first that it lacks.
  std::vector<int> reachable(std::vector<int> positions) {
    const auto lacking = [&](int position) { return !source_.has(position); };
    positions.erase(
        std::find_if(positions.begin(), positions.end(), lacking),
        positions.end());
    return positions;
  }

  /// A small angle is read more exactly where it has grown: at positions up to
  /// a thousand, each step within the range that cannot wrap around.
  void refine() {
    const auto positions = reachable({4, 16, 64, 256, 1024});
    const auto grown = turns_at(positions);
    for (size_t at = 0; at < positions.size(); ++at) {
      const int position = positions[at];
      std::vector<double> refined;
      for (const Turn& t : grown[at]) {
        const double turn = std::atan2(t.sine, t.cosine);
        const double expected =
            rope_.rotation.frequencies[refined.size()] * position;
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
    std::vector<int> offsets{0, 1};
    const size_t near = offsets.size();
    if (rope_.steady) {
      const auto far = reachable({7, 100, 3000});
      offsets.insert(offsets.end(), far.begin(), far.end());
    }
    const auto turns = turns_by(source_, rope_, rope_.rotation, offsets);
    const auto wrong = std::find(turns.begin(), turns.end(), false);
    rope_.steady = rope_.steady && wrong == turns.end();
    return static_cast<size_t>(wrong - turns.begin()) >= near &&
           turns_large(source_, rope_, rope_.rotation);
  }

  RopeSource source_;
  Rope& rope_;
  bool usable_ = false;
  int depth_ = 0;
};

/// The rotation between the rope's input and output, if it is one.
std::optional<Rope> proven_rope(
    eval::Interpreter& interp,
    const Trace& trace,
    ValueId positions,
    Rope rope,
    const trace::Twin* half) {
  const auto prove = [&]() -> std::optional<Rope> {
    try {
      const bool turns = Probe(interp, trace, positions, rope).run() &&
                         turns_in_half(interp, trace, half, positions, rope);
      return turns ? std::optional(rope) : std::nullopt;
    } catch (const eval::PythonError&) {  // it knows the recorded ones alone
      return std::nullopt;
    }
  };
  if (RopeSource(interp, trace, positions, rope).evaluates_anew()) {
    return prove();
  }
  Memory& memory = Memory::of(interp);
  const Labels input{{rope.input, "x"}};
  const Labels both{{rope.input, "x"}, {positions, "p"}};
  auto found = memory.once<std::optional<Rope>>(
      "rope:" + form_text(memory, trace, both, rope.output) +
          form_text(memory, trace, half, input, rope.output),
      prove);
  if (found) {
    found->input = rope.input;
    found->output = rope.output;
  }
  return found;
}

}  // namespace

std::optional<Rope> lift_rope(
    eval::Interpreter& interp,
    const Trace& trace,
    const Flows& flows,
    const Graph& graph,
    ValueId positions,
    ValueId output,
    const trace::Twin* half) {
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
      return proven_rope(interp, trace, positions, rope, half);
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
  RopeSource source(interp, trace, positions, rope);
  bool agrees = true;
  for (int length : lengths) {
    const int offset = std::max(0, length - source.length());
    agrees =
        agrees &&
        turns_by(source, rope, law(offset + source.length()), {offset}).front();
  }
  // What modules remember of long sequences is forgotten in a short one.
  source.has(0);
  return agrees;
}

}  // namespace portwright::lift

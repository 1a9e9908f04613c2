#include "emit/first_states.h"

#include <limits>

#include "emit/layer_states.h"

namespace portwright::emit {

namespace mx = mlx::core;
using eval::Value;

namespace {

/// Keeps the arrays of all values, which later writes would change.
class Snapshots : public torch::OpObserver {
 public:
  Snapshots(eval::Interpreter& interp, trace::Recorder& recorder)
      : interp_(interp), recorder_(recorder) {
    torch::set_op_observer(interp_, this);
  }
  ~Snapshots() override {
    torch::set_op_observer(interp_, &recorder_);
  }
  void on_op(
      const torch::Op& op,
      std::span<const Value> args,
      const Value& result) override {
    recorder_.on_op(op, args, result);
    for (const Value& arg : args) {
      keep(op.in_place ? Value() : arg);
    }
    keep(result);
  }

  /// The number that all of a value is.
  float number(ValueId id) const {
    const auto it = arrays_.find(id);
    constexpr float kNone = std::numeric_limits<float>::quiet_NaN();
    if (it == arrays_.end()) {
      return kNone;
    }
    const mx::array x = mx::astype(it->second, mx::float32);
    const float least = mx::min(x).item<float>();
    return least == mx::max(x).item<float>() ? least : kNone;
  }

 private:
  void keep(const Value& value) {
    for (torch::Tensor* t : trace::tensors_in(value)) {
      arrays_.try_emplace(t->value_id, torch::array_of(*t));
    }
  }

  eval::Interpreter& interp_;
  trace::Recorder& recorder_;
  std::map<ValueId, mx::array> arrays_;
};

}  // namespace

std::map<std::string, float> find_first_states(
    eval::Interpreter& interp,
    trace::Recorder& recorder,
    const std::function<Value()>& forward) {
  Trace& trace = recorder.trace();
  const size_t items = trace.root.items.size();
  const auto first = static_cast<ValueId>(trace.values.size());
  std::map<std::string, float> out;
  {
    const Snapshots snapshots(interp, recorder);
    KeptStates kept(interp, trace, {});
    kept.watch(forward());
    for (const auto& state : layer_states(trace, kept.changes(first))) {
      out[state.place] = snapshots.number(state.before);
    }
  }
  forget_rest(trace, items, first);
  return out;
}

}  // namespace portwright::emit

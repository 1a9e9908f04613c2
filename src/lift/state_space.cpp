#include "lift/state_space.h"

#include <limits>

#include "lift/parameters.h"
#include "lift/proof.h"

namespace portwright::lift {

using eval::Value;

namespace {

struct SpaceRoles {
  size_t x, dt, b, c, a, d, dt_bias;
};

/// Token by token, as the definition says; `a` is -exp(a_log), the state
/// (B, H, P, N).
Recurrence::Answer space_steps(
    const SpaceRoles& r,
    const std::vector<mx::array>& given,
    std::optional<mx::array> state,
    std::pair<double, double> limits) {
  const mx::array& x = given[r.x];
  const int heads = x.shape(2), length = x.shape(1);
  const auto grouped = [&](const mx::array& v) {
    return mx::repeat(v, heads / v.shape(2), 2);
  };
  const mx::array b = grouped(given[r.b]), c = grouped(given[r.c]);
  const mx::array dt = mx::clip(
      mx::logaddexp(given[r.dt] + given[r.dt_bias], mx::array(0.0f)),
      mx::array(float(limits.first)),
      mx::array(float(limits.second)));
  mx::array s = state.value_or(
      mx::zeros({x.shape(0), heads, x.shape(3), b.shape(3)}, mx::float32));
  std::vector<mx::array> outputs;
  for (int t = 0; t < length; ++t) {
    const mx::array step = mx::expand_dims(token(dt, t), {-1, -2});
    const mx::array decay =
        mx::exp(mx::reshape(given[r.a], {1, -1, 1, 1}) * step);
    const mx::array new_x = mx::expand_dims(token(x, t), -1);
    s = s * decay + step * new_x * mx::expand_dims(token(b, t), -2);
    outputs.push_back(
        mx::sum(s * mx::expand_dims(token(c, t), -2), -1) +
        mx::reshape(given[r.d], {1, -1, 1}) * token(x, t));
  }
  return {mx::stack(outputs, 1), s};
}

class SpaceSearch {
 public:
  SpaceSearch(
      eval::Interpreter& interp,
      const Trace& trace,
      const Flows& flows,
      const Recurrence& recurrence)
      : interp_(interp),
        trace_(trace),
        flows_(flows),
        recurrence_(recurrence),
        inputs_(recurrence.call->inputs) {}

  std::optional<StateSpace> run() {
    if (inputs_.size() != 8 || recurrence_.state == Recurrence::kNone) {
      return {};
    }
    const auto data = of(Flow::Data), weights = of(Flow::Parameter);
    if (data.size() != 4 || weights.size() != 3) {
      return {};
    }
    std::vector<size_t> order(data);
    do {
      const SpaceRoles r{order[0], order[1], order[2], order[3], 0, 0, 0};
      if (!fits(r)) {
        continue;
      }
      std::vector<size_t> parameters(weights);
      do {
        const SpaceRoles whole{
            r.x, r.dt, r.b, r.c, parameters[0], parameters[1], parameters[2]};
        if (auto found = form(whole)) {
          return found;
        }
      } while (std::next_permutation(parameters.begin(), parameters.end()));
    } while (std::next_permutation(order.begin(), order.end()));
    return {};
  }

 private:
  std::vector<size_t> of(Flow flow) const {
    std::vector<size_t> out;
    for (size_t i = 0; i < inputs_.size(); ++i) {
      if (i != recurrence_.state && flows_.of(inputs_[i]) == flow) {
        out.push_back(i);
      }
    }
    return out;
  }

  const torch::Sizes& shape(size_t i) const {
    return trace_.info(inputs_[i]).shape;
  }

  bool fits(const SpaceRoles& r) const {
    const auto &x = shape(r.x), &b = shape(r.b),
               &state = shape(recurrence_.state);
    return x.size() == 4 && b.size() == 4 && shape(r.c) == b &&
           shape(r.dt) == torch::Sizes{x[0], x[1], x[2]} && b[0] == x[0] &&
           b[1] == x[1] && x[2] % b[2] == 0 &&
           state == torch::Sizes{x[0], x[2], x[3], b[3]} &&
           trace_.info(recurrence_.output).shape == x;
  }

  /// The pairs of numbers among the arguments, and none.
  std::vector<Value> limits() const {
    std::vector<Value> out;
    for (const Value& arg : recurrence_.call->args) {
      if (!arg.is(eval::Kind::Tuple) && !arg.is(eval::Kind::List)) {
        continue;
      }
      const auto items = interp_.to_vector(arg);
      if (items.size() == 2 && items[0].is_number() && items[1].is_number()) {
        out.push_back(arg);
      }
    }
    out.emplace_back();
    return out;
  }

  std::pair<double, double> numbers(const Value& limits) const {
    if (!limits.defined()) {
      return {0, std::numeric_limits<double>::infinity()};
    }
    const auto items = interp_.to_vector(limits);
    return {items[0].as_double(), items[1].as_double()};
  }

  std::optional<StateSpace> form(const SpaceRoles& r) {
    const torch::Sizes heads{shape(r.x)[2]};
    for (size_t i : {r.a, r.d, r.dt_bias}) {
      if (shape(i) != heads) {
        return {};
      }
    }
    StateSpace out;
    out.x = inputs_[r.x];
    out.dt = inputs_[r.dt];
    out.b = inputs_[r.b];
    out.c = inputs_[r.c];
    out.output = recurrence_.output;
    for (const Value& pair : limits()) {
      out.limits = pair;
      const auto range = numbers(pair);
      const bool same =
          agrees(r, range, 3, true) && agrees(r, range, 1, true) &&
          agrees(r, range, 21, true) && agrees(r, range, 6, false);
      if (same) {
        out.a_log = negative_exponential(interp_, trace_, inputs_[r.a]);
        out.a = inputs_[r.a];
        out.d = parameter_or_value(inputs_[r.d]);
        out.dt_bias = parameter_or_value(inputs_[r.dt_bias]);
        return out;
      }
    }
    return {};
  }

  ValueId parameter_or_value(ValueId id) const {
    const ValueId same = same_parameter(interp_, trace_, id);
    return same ? same : id;
  }

  bool agrees(
      const SpaceRoles& r,
      std::pair<double, double> limits,
      int length,
      bool with_state) {
    std::vector<mx::array> given;
    for (size_t i = 0; i < inputs_.size(); ++i) {
      mx::Shape sizes(shape(i).begin(), shape(i).end());
      const bool of_tokens = i == r.x || i == r.dt || i == r.b || i == r.c;
      if (of_tokens) {
        sizes[1] = length;
      }
      mx::array v = random(sizes, 71 + i, i == r.dt ? 3 : 1);
      given.push_back(i == r.a ? -mx::exp(v) : v);
    }
    return recurrence_.follows(
        interp_, given, with_state, [&](const auto& state) {
          return space_steps(r, given, state, limits);
        });
  }

  eval::Interpreter& interp_;
  const Trace& trace_;
  const Flows& flows_;
  const Recurrence& recurrence_;
  const std::vector<ValueId>& inputs_;
};

}  // namespace

std::optional<StateSpace> lift_state_space(
    eval::Interpreter& interp,
    const Trace& trace,
    const Flows& flows,
    const Recurrence& recurrence) {
  try {
    return SpaceSearch(interp, trace, flows, recurrence).run();
  } catch (const eval::PythonError&) {
    return {};
  }
}

}  // namespace portwright::lift

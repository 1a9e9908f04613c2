#include <cmath>
#include <functional>
#include <set>

#include "lift/activation.h"
#include "lift/experts_proof.h"
#include "trace/replay.h"

namespace portwright::lift {

using eval::Value;
using Activation = Experts::Activation;

namespace {

mx::array swiglu_oai(
    const mx::array& gate,
    const mx::array& up,
    float alpha,
    float limit) {
  const auto g = mx::minimum(gate, mx::array(limit));
  const auto u = mx::clip(up, mx::array(-limit), mx::array(limit));
  return mx::multiply(
      mx::add(u, mx::array(1.0f)),
      mx::multiply(g, mx::sigmoid(mx::multiply(mx::array(alpha), g))));
}

mx::array rows(const mx::array& x, int from, int to) {
  return mx::slice(x, {from, 0}, {to, x.shape(1)});
}

/// The numbers that the activation reads, each once.
std::vector<Value> numbers_of(const Trace& trace, const Experts& e) {
  std::vector<Value> out;
  std::set<ValueId> seen{e.gate, e.up, 0};
  std::function<void(ValueId)> visit = [&](ValueId id) {
    const OpNode* op = trace.info(id).producer;
    if (!seen.insert(id).second || !op) {
      return;
    }
    for (const Value& arg : op->args) {
      if (arg.is_number() && !arg.is_bool()) {
        out.push_back(arg);
      }
    }
    for (ValueId input : op->inputs) {
      visit(input);
    }
  };
  visit(e.hidden);
  return out;
}

}  // namespace

mx::array activate(
    eval::Interpreter& interp,
    const Trace& trace,
    const Experts& e,
    const mx::array& gate,
    const mx::array& up) {
  // As many rows at a time as were recorded, the last ones padded.
  const int step = static_cast<int>(trace.info(e.gate).shape[0]);
  const int all = gate.shape(0);
  std::vector<mx::array> out;
  for (int at = 0; at < all; at += step) {
    const int end = std::min(at + step, all);
    auto take = [&](const mx::array& x) {
      const auto part = rows(x, at, end);
      return step == end - at ? part
                              : mx::pad(part, {{0, step - (end - at)}, {0, 0}});
    };
    trace::Replay replay(interp, trace);
    replay.replace(e.gate, take(gate));
    if (e.up) {
      replay.replace(e.up, take(up));
    }
    out.push_back(rows(replay.compute(e.hidden), 0, end - at));
  }
  return mx::concatenate(out, 0);
}

void name_activation(
    eval::Interpreter& interp,
    const Trace& trace,
    Experts& e) {
  // Also far from zero, so that a clamp shows.
  const auto numbers = numbers_of(trace, e);
  double reach = 30;
  for (const Value& number : numbers) {
    const double size = std::abs(number.as_double());
    reach = std::isfinite(size) ? std::max(reach, 3 * size) : reach;
  }
  const auto near = random({32, e.intermediate}, 41);
  const auto far = random({32, e.intermediate}, 42, static_cast<float>(reach));
  const auto gate = mx::concatenate({near, far}, 0);
  const auto up = mx::concatenate({far, near}, 0);
  const auto computed = activate(interp, trace, e, gate, up);
  auto is = [&](const mx::array& expected) {
    return relative_error(computed, expected) < kTolerance;
  };
  if (!e.up) {
    const std::pair<Activation, mx::array> known[] = {
        {Activation::Silu, silu(gate)},
        {Activation::Relu, relu(gate)},
        {Activation::Relu2, mx::square(relu(gate))},
        {Activation::Gelu, gelu(gate)},
        {Activation::GeluApprox, gelu_approx(gate)}};
    for (const auto& [name, expected] : known) {
      // The middle alone too, where large values would hide a difference.
      if (is(expected) &&
          relative_error(rows(computed, 0, 32), rows(expected, 0, 32)) <
              kTolerance) {
        e.activation = name;
        return;
      }
    }
    return;
  }
  if (is(mx::multiply(silu(gate), up))) {
    e.activation = Activation::Swiglu;
    return;
  }
  if (is(mx::multiply(gate, silu(up)))) {
    e.activation = Activation::Swiglu;
    std::swap(e.gate, e.up);
    if (e.gating == Experts::Gating::Separate) {
      std::swap(e.first[0], e.first[1]);
    } else {
      e.ups_first = true;
    }
    return;
  }
  for (const Value& alpha : numbers) {
    for (const Value& limit : numbers) {
      if (limit.as_double() > 0 &&
          is(swiglu_oai(
              gate,
              up,
              static_cast<float>(alpha.as_double()),
              static_cast<float>(limit.as_double())))) {
        e.activation = Activation::SwigluOai;
        e.alpha = alpha;
        e.limit = limit;
        return;
      }
    }
  }
}

}  // namespace portwright::lift

#include "lift/experts.h"

#include "lift/proof.h"

namespace portwright::lift {

using eval::Value;

namespace {

struct Parameter {
  std::string name;
  Value tensor;
};

std::vector<Parameter> parameters_of(
    eval::Interpreter& interp,
    const Value& module) {
  std::vector<Parameter> out;
  interp.for_each(
      interp.call_method(module, "named_parameters"), [&](Value pair) {
        const auto& items = pair.get<eval::Tuple>()->items;
        out.push_back({items[0].str(), items[1]});
      });
  return out;
}

/// Gate-and-up is (E, 2 I, H), down is (E, H, I), and nothing else is there.
bool match_parameters(
    const std::vector<Parameter>& parameters,
    Experts& found) {
  if (parameters.size() != 2) {
    return false;
  }
  for (int first : {0, 1}) {
    const auto& a = torch::as_tensor(parameters[first].tensor)->sizes;
    const auto& b = torch::as_tensor(parameters[1 - first].tensor)->sizes;
    if (a.size() == 3 && b.size() == 3 && a[0] == b[0] && a[2] == b[1] &&
        a[1] == 2 * b[2]) {
      found.gate_up = parameters[first].name;
      found.down = parameters[1 - first].name;
      found.experts = static_cast<int>(a[0]);
      found.hidden = static_cast<int>(a[2]);
      found.intermediate = static_cast<int>(b[2]);
      return true;
    }
  }
  return false;
}

bool match_inputs(const Trace& trace, const Frame& frame, Experts& found) {
  for (ValueId id : frame.inputs) {
    const auto& info = trace.info(id);
    if (info.shape.size() != 2) {
      return false;
    }
    if (info.dtype == torch::Dtype::Int64) {
      found.indices = id;
    } else if (info.shape[1] == found.hidden) {
      found.input = id;
    } else {
      found.weights = id;
    }
  }
  return found.input && found.indices && found.weights &&
         trace.info(found.indices).shape == trace.info(found.weights).shape;
}

mx::array activate(const std::string& name, const mx::array& x) {
  if (name == "silu") {
    return mx::multiply(x, mx::sigmoid(x));
  }
  const mx::array half(0.5f), one(1.0f);
  if (name == "gelu") {
    return mx::multiply(
        mx::multiply(half, x),
        mx::add(one, mx::erf(mx::multiply(x, mx::array(0.70710678f)))));
  }
  const auto cube = mx::multiply(mx::multiply(x, x), x);
  const auto inner = mx::multiply(
      mx::array(0.79788456f),
      mx::add(x, mx::multiply(mx::array(0.044715f), cube)));
  return mx::multiply(mx::multiply(half, x), mx::add(one, mx::tanh(inner)));
}

mx::array apply(
    const Experts& e,
    const mx::array& gate_up,
    const mx::array& down,
    const mx::array& x,
    const mx::array& index,
    const mx::array& weight) {
  const auto gu = mx::take(gate_up, index, 0);                // (N, K, 2I, H)
  const auto d = mx::take(down, index, 0);                    // (N, K, H, I)
  const auto column = mx::expand_dims(x, {1, 3});             // (N, 1, H, 1)
  const auto both = mx::squeeze(mx::matmul(gu, column), -1);  // (N, K, 2I)
  const auto parts = mx::split(both, 2, -1);
  const auto hidden = mx::multiply(activate(e.activation, parts[0]), parts[1]);
  const auto out = mx::squeeze(mx::matmul(d, mx::expand_dims(hidden, -1)), -1);
  return mx::sum(mx::multiply(out, mx::expand_dims(weight, -1)), 1);
}

bool agrees(
    eval::Interpreter& interp,
    const Trace& trace,
    const Frame& frame,
    const std::vector<Parameter>& parameters,
    Experts& e) {
  RandomParameters randomised(interp, frame.module);
  const int k = static_cast<int>(trace.info(e.indices).shape[1]);
  const int n = 7;
  const auto x = random({n, e.hidden}, 31);
  const auto weight = mx::abs(random({n, k}, 32));
  const auto index = mx::astype(
      mx::random::randint(
          mx::array(0),
          mx::array(e.experts),
          {n, k},
          mx::int32,
          mx::random::key(33)),
      mx::int64);
  // The source's order of arguments is that of its frame.
  std::vector<mx::array> inputs;
  for (ValueId id : frame.inputs) {
    inputs.push_back(id == e.input ? x : id == e.indices ? index : weight);
  }
  const auto expected = call_module(interp, frame.module, inputs);
  auto array = [&](const std::string& name) {
    for (const auto& p : parameters) {
      if (p.name == name) {
        return torch::array_of(*torch::as_tensor(p.tensor));
      }
    }
    PW_CHECK(false, "no parameter " + name);
  };
  for (const char* activation : {"silu", "gelu", "gelu_approx"}) {
    e.activation = activation;
    const auto mine =
        apply(e, array(e.gate_up), array(e.down), x, index, weight);
    if (relative_error(mine, expected) < kTolerance) {
      return true;
    }
  }
  return false;
}

}  // namespace

std::optional<Experts> lift_experts(
    eval::Interpreter& interp,
    const Trace& trace,
    const Flows&,
    const Frame& frame) {
  Experts found;
  const auto parameters = parameters_of(interp, frame.module);
  if (!match_parameters(parameters, found) || frame.inputs.size() != 3 ||
      !match_inputs(trace, frame, found) ||
      !agrees(interp, trace, frame, parameters, found)) {
    return {};
  }
  return found;
}

}  // namespace portwright::lift

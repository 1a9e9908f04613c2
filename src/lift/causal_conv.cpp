#include "lift/causal_conv.h"

#include "lift/activation.h"
#include "lift/proof.h"
#include "trace/replay.h"

namespace portwright::lift {

namespace {

/// The parameters a value is computed from.
void collect_parameters(
    const Trace& trace,
    ValueId id,
    std::set<ValueId>& seen,
    std::vector<ValueId>& out) {
  if (!id || !seen.insert(id).second) {
    return;
  }
  const auto& info = trace.info(id);
  if (!info.parameter.empty()) {
    out.push_back(id);
    return;
  }
  if (info.producer) {
    for (ValueId input : info.producer->inputs) {
      collect_parameters(trace, input, seen, out);
    }
  }
}

/// False unless the parameters are a weight and perhaps a bias.
bool take_weights(
    const Trace& trace,
    const std::vector<ValueId>& parameters,
    CausalConv& out) {
  for (ValueId id : parameters) {
    const auto& shape = trace.info(id).shape;
    ValueId& slot = shape.size() == 1 ? out.bias : out.weight;
    if (slot || shape.empty() || shape[0] != out.channels ||
        (shape.size() != 1 && (shape.size() != 3 || shape[1] != 1))) {
      return false;
    }
    slot = id;
  }
  if (out.weight) {
    out.kernel = static_cast<int>(trace.info(out.weight).shape[2]);
  }
  return out.weight != 0;
}

/// The first value made of `full` and of no other data that is as long as the
/// new inputs; with its weight and bias.
std::optional<CausalConv> shaped(
    const Trace& trace,
    const Flows& flows,
    const Graph& graph,
    const StateUpdate& update) {
  const auto& wanted = trace.info(update.written).shape;
  std::set<ValueId> made{update.answer};
  std::vector<ValueId> parameters;
  std::set<ValueId> seen{update.answer};
  for (const OpNode* op : graph.ops) {
    bool reads = false, others = false;
    for (ValueId id : op->inputs) {
      reads = reads || made.contains(id);
      others = others || (!made.contains(id) && flows.of(id) > Flow::Parameter);
    }
    if (!reads || others || op->outputs.size() != 1 || op->op->in_place) {
      continue;
    }
    for (ValueId id : op->inputs) {
      collect_parameters(trace, id, seen, parameters);
    }
    made.insert(op->outputs[0]);
    seen.insert(op->outputs[0]);
    if (trace.info(op->outputs[0]).shape != wanted || parameters.empty()) {
      continue;
    }
    CausalConv out;
    out.input = update.written;
    out.output = op->outputs[0];
    out.channels = static_cast<int>(wanted[1]);
    return take_weights(trace, parameters, out) ? std::optional(out)
                                                : std::nullopt;
  }
  return {};
}

/// The convolution over whole inputs (B, C, K - 1 + L).
mx::array convolved(
    const mx::array& x,
    const mx::array& weight,
    const std::optional<mx::array>& bias,
    int length) {
  const int kernel = weight.shape(2);
  mx::array sum = mx::zeros({x.shape(0), x.shape(1), length}, mx::float32);
  for (int k = 0; k < kernel; ++k) {
    const mx::array tap =
        mx::slice(weight, {0, 0, k}, {weight.shape(0), 1, k + 1});
    const int from = x.shape(2) - length - (kernel - 1) + k;
    sum =
        sum +
        mx::reshape(tap, {1, -1, 1}) *
            mx::slice(x, {0, 0, from}, {x.shape(0), x.shape(1), from + length});
  }
  return bias ? sum + mx::reshape(*bias, {1, -1, 1}) : sum;
}

mx::array activated(CausalConv::Activation activation, const mx::array& x) {
  using Activation = CausalConv::Activation;
  switch (activation) {
    case Activation::None:
      return x;
    case Activation::Silu:
      return silu(x);
    case Activation::Gelu:
      return gelu(x);
    case Activation::GeluTanh:
      return gelu_approx(x);
    case Activation::Relu:
      return relu(x);
    case Activation::Tanh:
      return mx::tanh(x);
    case Activation::Sigmoid:
      return mx::sigmoid(x);
  }
  return x;
}

/// False when `got` is no activation of `plain`.
bool take_activation(
    const mx::array& got,
    const mx::array& plain,
    CausalConv& out) {
  using Activation = CausalConv::Activation;
  for (const Activation activation :
       {Activation::None,
        Activation::Silu,
        Activation::Gelu,
        Activation::GeluTanh,
        Activation::Relu,
        Activation::Tanh,
        Activation::Sigmoid}) {
    if (relative_error(got, activated(activation, plain)) < kTolerance) {
      out.activation = activation;
      return true;
    }
  }
  return false;
}

}  // namespace

std::optional<CausalConv> lift_causal_conv(
    eval::Interpreter& interp,
    const Trace& trace,
    const Flows& flows,
    const Graph& graph,
    const StateUpdate& update) {
  auto found = shaped(trace, flows, graph, update);
  if (!found || trace.info(update.answer).shape.size() != 3 ||
      trace.info(update.answer).shape[2] <
          trace.info(update.written).shape[2] + found->kernel - 1) {
    return {};
  }
  try {
    const int length = static_cast<int>(trace.info(found->output).shape[2]);
    trace::Replay replay(interp, trace);
    const mx::array x = random(shape_of(trace, update.answer), 11);
    const mx::array weight = random(shape_of(trace, found->weight), 12);
    replay.replace(update.answer, x);
    replay.replace(found->weight, weight);
    std::optional<mx::array> bias;
    if (found->bias) {
      bias = random(shape_of(trace, found->bias), 13);
      replay.replace(found->bias, *bias);
    }
    const mx::array got = replay.compute(found->output);
    if (take_activation(got, convolved(x, weight, bias, length), *found)) {
      return found;
    }
  } catch (const eval::PythonError&) {
  }
  return {};
}

std::optional<CausalConv> lift_causal_conv(
    eval::Interpreter& interp,
    const Trace& trace,
    const Step& step) {
  if (step.states.size() != 1 || step.inputs.size() != 1 ||
      step.outputs.size() != 1) {
    return {};
  }
  const Step::Part &in = step.inputs[0], &out = step.outputs[0];
  const Step::State& state = step.states[0];
  const auto& kept = trace.info(state.before).shape;
  const auto is_token = [&](const Step::Part& part) {
    const auto& shape = trace.info(part.token).shape;
    return shape.size() == 3 && kept.size() == 3 && part.axis > 0 &&
           shape[0] == kept[0] && shape[3 - part.axis] == kept[1];
  };
  CausalConv found;
  if (!is_token(in) || !is_token(out)) {
    return {};
  }
  found.input = in.whole;
  found.output = out.whole;
  found.input_axis = in.axis;
  found.output_axis = out.axis;
  found.channels = static_cast<int>(kept[1]);
  std::set<ValueId> seen{state.before, in.token};
  std::vector<ValueId> parameters;
  collect_parameters(trace, out.token, seen, parameters);
  if (!take_weights(trace, parameters, found) ||
      (kept[2] != found.kernel && kept[2] + 1 != found.kernel)) {
    return {};
  }
  try {
    trace::Replay replay(interp, trace);
    const mx::array before = random(shape_of(trace, state.before), 11);
    const mx::array token = random(shape_of(trace, in.token), 14);
    const mx::array weight = random(shape_of(trace, found.weight), 12);
    replay.replace(state.before, before);
    replay.replace(in.token, token);
    replay.replace(found.weight, weight);
    std::optional<mx::array> bias;
    if (found.bias) {
      bias = random(shape_of(trace, found.bias), 13);
      replay.replace(found.bias, *bias);
    }
    const auto channels_first = [](const mx::array& x, int axis) {
      return axis == 2 ? x : mx::swapaxes(x, 1, 2);
    };
    const mx::array full =
        mx::concatenate({before, channels_first(token, in.axis)}, 2);
    const auto next = mx::slice(full, {0, 0, 1}, full.shape());
    const auto got = channels_first(replay.compute(out.token), out.axis);
    if (relative_error(replay.compute(state.after), next) < kTolerance &&
        take_activation(got, convolved(full, weight, bias, 1), found)) {
      return found;
    }
  } catch (const eval::PythonError&) {
  }
  return {};
}

}  // namespace portwright::lift

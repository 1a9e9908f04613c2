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
    for (ValueId id : parameters) {
      const auto& shape = trace.info(id).shape;
      ValueId& slot = shape.size() == 1 ? out.bias : out.weight;
      if (slot || shape.empty() || shape[0] != wanted[1] ||
          (shape.size() != 1 && (shape.size() != 3 || shape[1] != 1))) {
        return {};
      }
      slot = id;
    }
    if (!out.weight) {
      return {};
    }
    out.kernel = static_cast<int>(trace.info(out.weight).shape[2]);
    return out;
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
    const mx::array plain = convolved(x, weight, bias, length);
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
        found->activation = activation;
        return found;
      }
    }
  } catch (const eval::PythonError&) {
  }
  return {};
}

}  // namespace portwright::lift

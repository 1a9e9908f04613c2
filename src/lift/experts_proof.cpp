#include "lift/experts_proof.h"

namespace portwright::lift {

using eval::Value;

mx::array parameter(
    eval::Interpreter& interp,
    const Value& module,
    const std::string& name) {
  std::optional<mx::array> found;
  interp.for_each(
      interp.call_method(module, "named_parameters"), [&](Value pair) {
        const auto& items = pair.get<eval::Tuple>()->items;
        if (items[0].str() == name) {
          found = torch::array_of(*torch::as_tensor(items[1]));
        }
      });
  PW_CHECK(found, "no parameter " + name);
  return *found;
}

mx::array through(
    eval::Interpreter& interp,
    const Value& module,
    const Experts::Product& product,
    const mx::array& x,
    const mx::array& index) {
  auto weight = parameter(interp, module, product.weight);
  mx::Shape sizes(product.sizes.begin(), product.sizes.end());
  weight = mx::reshape(weight, sizes);
  if (!product.transposed) {
    weight = mx::swapaxes(weight, -1, -2);
  }
  auto y = mx::squeeze(
      mx::matmul(mx::expand_dims(x, -2), mx::take(weight, index, 0)), -2);
  if (!product.bias.empty()) {
    y = mx::add(y, mx::take(parameter(interp, module, product.bias), index, 0));
  }
  return y;
}

namespace {

/// Gates and ups of what the first products gave.
std::pair<mx::array, mx::array> parts(const Experts& e, const mx::array& y) {
  const int n = y.shape(-1);
  auto cut = [&](int from, int to, int step) {
    return mx::slice(
        y, {0, 0, from}, {y.shape(0), y.shape(1), to}, {1, 1, step});
  };
  std::pair<mx::array, mx::array> out =
      e.gating == Experts::Gating::Interleaved
          ? std::pair(cut(0, n, 2), cut(1, n, 2))
          : std::pair(cut(0, n / 2, 1), cut(n / 2, n, 1));
  if (e.ups_first) {
    std::swap(out.first, out.second);
  }
  return out;
}

}  // namespace

mx::array apply_experts(
    eval::Interpreter& interp,
    const Trace& trace,
    const Frame& frame,
    const Experts& e,
    const mx::array& x,
    const mx::array& choice,
    const mx::array& weight) {
  const int n = choice.shape(0), k = choice.shape(1);
  const auto each =
      mx::broadcast_to(mx::expand_dims(x, 1), {n, k, x.shape(-1)});
  const auto passes = mx::greater_equal(choice, mx::array(e.experts));
  const auto index = mx::where(passes, mx::zeros_like(choice), choice);
  mx::array gate = through(interp, frame.module, e.first[0], each, index);
  mx::array up = gate;
  if (e.gating == Experts::Gating::Separate) {
    up = through(interp, frame.module, e.first[1], each, index);
  } else if (e.gating != Experts::Gating::None) {
    std::tie(gate, up) = parts(e, gate);
  }
  const mx::Shape flat{n * k, e.intermediate};
  const auto hidden = mx::reshape(
      activate(
          interp, trace, e, mx::reshape(gate, flat), mx::reshape(up, flat)),
      {n, k, e.intermediate});
  const auto y = mx::where(
      mx::expand_dims(passes, -1),
      each,
      through(interp, frame.module, e.last, hidden, index));
  return mx::sum(mx::multiply(y, mx::expand_dims(weight, -1)), 1);
}

bool agrees(
    eval::Interpreter& interp,
    const Trace& trace,
    const Frame& frame,
    const Experts& e) {
  RandomParameters randomised(interp, frame.module);
  const int k = static_cast<int>(trace.info(e.indices).shape[1]);
  const auto& recorded = trace.info(e.input).shape;
  const int batch = recorded.size() == 3 ? 3 : 1;
  // Each index is chosen twice or more.
  const int classes = e.experts + e.identities;
  const int rows = std::max(7, (2 * classes + k - 1) / k);
  const int n = rows * batch;
  const auto x = random({n, e.hidden_size}, 31, 3);
  const auto weight = mx::abs(random({n, k}, 32));
  const auto index = mx::reshape(
      mx::random::permutation(
          mx::remainder(
              mx::arange(n * k, mx::int64), mx::array(int64_t(classes))),
          0,
          mx::random::key(33)),
      {n, k});
  std::vector<mx::array> inputs;  // in the order of the source's parameters
  for (ValueId id : frame.inputs) {
    inputs.push_back(
        id == e.indices   ? index
        : id == e.weights ? weight
        : batch == 3      ? mx::reshape(x, {batch, rows, e.hidden_size})
                          : x);
  }
  const auto expected = mx::reshape(
      call_module(interp, frame.module, inputs), {n, e.hidden_size});
  return relative_error(
             apply_experts(interp, trace, frame, e, x, index, weight),
             expected) < kTolerance;
}

}  // namespace portwright::lift

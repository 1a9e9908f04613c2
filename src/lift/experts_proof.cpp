#include "lift/experts_proof.h"

namespace portwright::lift {

using eval::Value;

mx::array parameter(
    eval::Interpreter& interp,
    const Value& module,
    const std::string& name) {
  const Value found =
      interp.call_method(module, "get_parameter", {eval::str(name)});
  return torch::array_of(*torch::as_tensor(found));
}

namespace {

/// What all experts have of a parameter, stacked.
mx::array of_all(
    eval::Interpreter& interp,
    const Value& module,
    const std::string& name,
    int64_t experts) {
  const size_t star = name.find('*');
  if (star == std::string::npos) {
    return parameter(interp, module, name);
  }
  std::vector<mx::array> all;
  for (int64_t e = 0; e < experts; ++e) {
    all.push_back(parameter(
        interp,
        module,
        name.substr(0, star) + std::to_string(e) + name.substr(star + 1)));
  }
  return mx::stack(all);
}

}  // namespace

mx::array through(
    eval::Interpreter& interp,
    const Value& module,
    const Experts::Product& product,
    const mx::array& x,
    const mx::array& index) {
  const int64_t experts = product.sizes[0];
  auto weight = of_all(interp, module, product.weight, experts);
  mx::Shape sizes(product.sizes.begin(), product.sizes.end());
  weight = mx::reshape(weight, sizes);
  if (!product.transposed) {
    weight = mx::swapaxes(weight, -1, -2);
  }
  // The matrices are many times as large as what they are multiplied with: each
  // is read where it lies. MLX's CPU backend does so in float32 alone.
  auto y = mx::astype(
      mx::squeeze(
          mx::gather_mm(
              mx::astype(mx::expand_dims(x, -2), mx::float32),
              mx::astype(weight, mx::float32),
              std::nullopt,
              mx::astype(index, mx::uint32)),
          -2),
      mx::result_type(x, weight));
  if (!product.bias.empty()) {
    const auto bias = of_all(interp, module, product.bias, experts);
    y = mx::add(y, mx::take(bias, index, 0));
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
  const auto activated = activate(
      interp, trace, e, mx::reshape(gate, flat), mx::reshape(up, flat));
  const auto hidden =
      mx::reshape(mx::astype(activated, x.dtype()), {n, k, e.intermediate});
  const auto y = mx::where(
      mx::expand_dims(passes, -1),
      each,
      through(interp, frame.module, e.last, hidden, index));
  const auto scores =
      e.weighs_all ? mx::take_along_axis(weight, index, 1) : weight;
  return mx::sum(mx::multiply(y, mx::expand_dims(scores, -1)), 1);
}

namespace {

/// Rows, choices and routing weights to try a module with.
struct Tokens {
  mx::array x, index, weight;

  /// In the order of the source's parameters.
  std::vector<mx::array> arguments(
      const Frame& frame,
      const Experts& e,
      const mx::Shape& shape) const {
    std::vector<mx::array> out;
    for (ValueId id : frame.inputs) {
      out.push_back(
          id == e.indices   ? index
          : id == e.weights ? weight
                            : mx::reshape(x, shape));
    }
    return out;
  }
};

/// Each index is chosen twice or more.
Tokens random_tokens(const Experts& e, int k, int batch) {
  const int classes = e.experts + e.identities;
  const int n = batch * std::max(7, (2 * classes + k - 1) / k);
  const auto turns =
      mx::remainder(mx::arange(n * k, mx::int64), mx::array(int64_t(classes)));
  return {
      random({n, e.hidden_size}, 31, 3),
      mx::reshape(
          mx::random::permutation(turns, 0, mx::random::key(33)), {n, k}),
      mx::abs(random({n, k}, 32))};
}

}  // namespace

bool passes_what_is_past(
    eval::Interpreter& interp,
    const Trace& trace,
    const Frame& frame,
    const Experts& e) {
  const int k = static_cast<int>(trace.info(e.indices).shape[1]);
  const bool rows = trace.info(e.input).shape.size() == 2;
  const Tokens one{
      random({1, e.hidden_size}, 31, 3),
      mx::full({1, k}, e.experts, mx::int64),
      mx::abs(random({1, k}, 32))};
  const mx::Shape shape =
      rows ? mx::Shape{1, e.hidden_size} : mx::Shape{1, 1, e.hidden_size};
  try {
    const auto y =
        call_module(interp, frame.module, one.arguments(frame, e, shape));
    const auto passed = mx::multiply(one.x, mx::sum(one.weight));
    return relative_error(mx::reshape(y, passed.shape()), passed) < kTolerance;
  } catch (const eval::PythonError&) {
    return false;  // an index past the experts is none
  }
}

bool agrees(
    eval::Interpreter& interp,
    const Trace& trace,
    const Frame& frame,
    const Experts& e) {
  const int k = static_cast<int>(trace.info(e.indices).shape[1]);
  const int batch = trace.info(e.input).shape.size() == 3 ? 3 : 1;
  const Tokens tokens = random_tokens(e, k, batch);
  const int n = tokens.x.shape(0);
  const mx::Shape shape = batch == 3
                              ? mx::Shape{batch, n / batch, e.hidden_size}
                              : mx::Shape{n, e.hidden_size};
  auto theirs = [&](const Tokens& t) {
    const auto y =
        call_module(interp, frame.module, t.arguments(frame, e, shape));
    return mx::reshape(y, {n, e.hidden_size});
  };
  auto ours = [&](const Tokens& t) {
    return apply_experts(interp, trace, frame, e, t.x, t.index, t.weight);
  };
  {
    RandomParameters randomised(interp, frame.module);
    if (relative_error(ours(tokens), theirs(tokens)) >= kTolerance) {
      return false;
    }
  }
  auto in = [&](const auto& form) {
    return [&](mx::Dtype dtype) {
      RandomParameters randomised(interp, frame.module, dtype);
      return form(
          {rounded(tokens.x, dtype),
           tokens.index,
           rounded(tokens.weight, dtype)});
    };
  };
  return agree_in_half(in(theirs), in(ours));
}

}  // namespace portwright::lift

#include "lift/key_bias.h"

#include <cmath>

#include "lift/attention.h"
#include "lift/proof.h"
#include "torch/readable.h"
#include "trace/replay.h"

namespace portwright::lift {

namespace {

/// The elements as float32.
std::vector<float> elements(const mx::array& a) {
  const auto flat = torch::readable(mx::astype(a, mx::float32));
  return {flat.data<float>(), flat.data<float>() + flat.size()};
}

/// The slope of each row, when all rows are straight lines up to the query
/// itself, which is the last key or, of several queries, one of the last; all
/// queries of a head have one slope. Later keys are for a mask to hide.
std::vector<float> slopes_of(const mx::array& bias) {
  const int keys = bias.shape(-1), queries = bias.shape(-2);
  const auto all = elements(bias);
  std::vector<float> out;
  for (size_t row = 0; row * keys < all.size(); ++row) {
    const float* at = &all[row * keys];
    const int query = static_cast<int>(row) % queries;
    const int last = keys - queries + query;
    const float slope = (at[last] - at[0]) / static_cast<float>(last);
    const float tolerance =
        1e-5f * (1 + std::abs(slope)) * static_cast<float>(keys);
    for (int k = 0; k <= last; ++k) {
      if (!(std::abs(at[k] - at[0] - slope * k) <= tolerance)) {
        return {};
      }
    }
    if (query == 0) {
      out.push_back(slope);
    } else if (!(std::abs(slope - out.back()) <= tolerance)) {
      return {};
    }
  }
  return out;
}

bool equal(const std::vector<float>& a, const std::vector<float>& b) {
  return a.size() == b.size() &&
         std::equal(a.begin(), a.end(), b.begin(), [](float x, float y) {
           return std::abs(x - y) <= 1e-5f * std::abs(y);
         });
}

/// True where a bias hides exactly later keys and padding, of several lengths.
bool hides_like_a_mask(
    eval::Interpreter& interp,
    const Trace& trace,
    ValueId mask,
    ValueId output) {
  constexpr float kHidden = -1e4f;
  const mx::Shape shape = shape_of(trace, mask);
  const auto places = mx::arange(shape[1]);
  const auto pads = mx::reshape(
      mx::multiply(mx::arange(shape[0]), mx::array(2)), {shape[0], 1});
  const auto kept = mx::greater_equal(places, pads);
  trace::Replay replay(interp, trace);
  replay.replace(mask, mx::astype(kept, mx::int64));
  mx::array bias = replay.compute(output);
  if (bias.ndim() != 4 || bias.shape(0) != shape[0]) {
    return false;
  }
  const int queries = bias.shape(2), keys = bias.shape(3);
  const auto last = mx::arange(keys - queries, keys);
  const auto earlier = mx::less_equal(places, mx::reshape(last, {queries, 1}));
  const auto shown =
      mx::logical_and(mx::reshape(kept, {shape[0], 1, 1, keys}), earlier);
  // What padding attends to is of no matter.
  const auto read = mx::reshape(
      mx::greater_equal(mx::reshape(last, {1, queries}), pads),
      {shape[0], 1, queries, 1});
  const auto open =
      mx::greater(mx::astype(bias, mx::float32), mx::array(kHidden));
  const auto alike =
      mx::logical_or(mx::equal(open, shown), mx::logical_not(read));
  return mx::all(alike).item<bool>();
}

/// A vector that the model makes of its config alone.
ValueId constant_equal_to(
    const Trace& trace,
    const Flows& flows,
    const std::vector<float>& slopes) {
  for (ValueId id = 1; id < trace.values.size(); ++id) {
    const auto& info = trace.info(id);
    const auto* tensor = torch::as_tensor(info.tensor);
    if (tensor && info.producer && flows.of(id) == Flow::Constant &&
        torch::is_floating_point(info.dtype) &&
        tensor->numel() == static_cast<int64_t>(slopes.size()) &&
        equal(elements(torch::array_of(*tensor)), slopes)) {
      return id;
    }
  }
  return 0;
}

}  // namespace

std::optional<KeyBias> lift_key_bias(
    eval::Interpreter& interp,
    const Trace& trace,
    const Flows& flows,
    ValueId output) {
  const ValueId mask = flows.mask();
  const auto& shape = trace.info(output).shape;
  const Flow flow = flows.of(output);
  if (!mask || shape.size() < 3 ||
      shape.back() != trace.info(mask).shape.back() ||
      shape.back() < shape[shape.size() - 2] + 2 || flow == Flow::Data ||
      flow == Flow::Parameter || whole_mask(trace, flows, output)) {
    return {};
  }
  trace::Replay replay(interp, trace);
  replay.replace(mask, mx::ones(shape_of(trace, mask), mx::int64));
  const auto slopes = slopes_of(replay.compute(output));
  const auto batch =
      static_cast<std::ptrdiff_t>(trace.info(mask).shape.front());
  const auto rows = std::ssize(slopes);
  if (std::none_of(slopes.begin(), slopes.end(), [](float s) { return s; })) {
    return {};
  }
  for (const std::ptrdiff_t heads : {rows, rows % batch ? 0 : rows / batch}) {
    // The rows of a batch are alike.
    const bool repeats =
        heads > 0 &&
        std::equal(slopes.begin() + heads, slopes.end(), slopes.begin());
    const ValueId made =
        repeats ? constant_equal_to(
                      trace, flows, {slopes.begin(), slopes.begin() + heads})
                : 0;
    if (made) {
      return KeyBias{
          output,
          made,
          shape[shape.size() - 2] > 1,
          flow == Flow::Mask && hides_like_a_mask(interp, trace, mask, output)};
    }
  }
  return {};
}

void note_biased_masks(
    eval::Interpreter& interp,
    const Trace& trace,
    int64_t length,
    Flows& flows) {
  if (!flows.mask()) {
    return;
  }
  const auto& mask = trace.info(flows.mask()).shape;
  for (ValueId id = 1; id < trace.values.size(); ++id) {
    const auto& info = trace.info(id);
    const bool of_heads = info.producer && info.shape.size() == 4 &&
                          info.shape[0] == mask[0] && info.shape[1] > 1 &&
                          info.shape[2] == length && info.shape[3] == mask[1];
    if (!of_heads || flows.of(id) != Flow::Mask) {
      continue;
    }
    try {
      const auto bias = lift_key_bias(interp, trace, flows, id);
      if (bias && bias->masks) {
        flows.note_biased_mask(id);
      }
    } catch (const eval::PythonError&) {
    } catch (const std::exception&) {  // of MLX: nothing to compute it from
    }
  }
}

}  // namespace portwright::lift

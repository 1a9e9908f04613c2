#include "torch/dispatch.h"
#include "torch/elementwise.h"

namespace portwright::torch {
namespace {

/// One int for every axis, or one for all.
std::vector<int> per_axis(Call& call, size_t i, size_t axes) {
  Sizes given = call.ints(i);
  if (given.size() == 1) {
    given.assign(axes, given[0]);
  }
  if (given.size() != axes) {
    call.bad_argument(i, std::to_string(axes) + " ints");
  }
  return {given.begin(), given.end()};
}

/// Channels first to channels last and back.
mx::array channels_last(const mx::array& x) {
  return mx::moveaxis(x, 1, -1);
}

/// input (N, Cin, *), weight (Cout, Cin / groups, *); the batch axis may be
/// missing.
Value conv(Call& call, size_t axes) {
  const Tensor &input = call.tensor(0), &weight = call.tensor(1);
  const bool batched = input.dim() == static_cast<int64_t>(axes) + 2;
  if (!batched && input.dim() != static_cast<int64_t>(axes) + 1) {
    call.raise(
        "RuntimeError",
        fmt::format(
            "Expected {}D (unbatched) or {}D (batched) input to {}, but got "
            "input of size: {}",
            axes + 1,
            axes + 2,
            call.op.name,
            sizes_text(input.sizes)));
  }
  if (input.dtype != weight.dtype) {
    call.raise(
        "RuntimeError",
        "Input type (" + std::string(name(input.dtype)) +
            ") and weight type (" + std::string(name(weight.dtype)) +
            ") should be the same");
  }
  mx::array x = computed(input);
  if (!batched) {
    x = mx::expand_dims(x, 0);
  }
  const int groups = static_cast<int>(call.integer(6));
  if (x.shape(1) != weight.sizes[1] * groups) {
    call.raise(
        "RuntimeError",
        fmt::format(
            "Given groups={}, weight of size {}, expected input{} to have {} "
            "channels, but got {} channels instead",
            groups,
            sizes_text(weight.sizes),
            sizes_text(input.sizes),
            weight.sizes[1] * groups,
            x.shape(1)));
  }
  const auto stride = per_axis(call, 3, axes);
  const auto dilation = per_axis(call, 5, axes);
  std::vector<int> low(axes, 0), high(axes, 0);
  if (call.args[4].is_str()) {
    if (call.args[4].str() == "same") {
      for (size_t i = 0; i < axes; ++i) {
        const int total =
            dilation[i] * (static_cast<int>(weight.sizes[2 + i]) - 1);
        low[i] = total / 2;
        high[i] = total - low[i];
      }
    } else if (call.args[4].str() != "valid") {
      call.bad_argument(4, "'same', 'valid' or ints");
    }
  } else {
    low = high = per_axis(call, 4, axes);
  }
  for (size_t i = 0; i < axes; ++i) {
    const int64_t reach = dilation[i] * (weight.sizes[2 + i] - 1) + 1;
    if (x.shape(static_cast<int>(2 + i)) + low[i] + high[i] < reach) {
      call.raise(
          "RuntimeError",
          "Calculated padded input size per channel is smaller than the "
          "kernel. Kernel size can't be greater than actual input size");
    }
  }
  mx::array out = mx::moveaxis(
      mx::conv_general(
          channels_last(x),
          channels_last(computed(weight)),
          stride,
          low,
          high,
          dilation,
          std::vector<int>(axes, 1),
          groups),
      -1,
      1);
  if (const Tensor* bias = call.tensor_or_null(2)) {
    mx::Shape shape(out.ndim(), 1);
    shape[1] = static_cast<int>(bias->numel());
    out = out + mx::reshape(computed(*bias), shape);
  }
  return call.cast(batched ? out : mx::squeeze(out, 0), input.dtype);
}

Value conv1d(Call& call) {
  return conv(call, 1);
}

Value conv2d(Call& call) {
  return conv(call, 2);
}

Value conv3d(Call& call) {
  return conv(call, 3);
}

/// Positions along one axis of size n after padding, for the modes that read
/// the input again.
mx::array padded_positions(
    Call& call,
    int n,
    int64_t before,
    int64_t after,
    const std::string& mode) {
  std::vector<int> at;
  for (int64_t i = -before; i < n + after; ++i) {
    int64_t k = i;
    if (mode == "replicate") {
      k = std::clamp<int64_t>(i, 0, n - 1);
    } else if (mode == "circular") {
      k = ((i % n) + n) % n;
    } else if (mode == "reflect") {
      k = i < 0 ? -i : i >= n ? 2 * (int64_t{n} - 1) - i : i;
    } else {
      call.raise("NotImplementedError", "Unrecognised padding mode " + mode);
    }
    if (k < 0 || k >= n) {
      call.raise(
          "RuntimeError",
          "Padding size should be less than the corresponding input "
          "dimension");
    }
    at.push_back(static_cast<int>(k));
  }
  return mx::array(at.data(), {static_cast<int>(at.size())}, mx::int32);
}

/// Pairs (before, after) from the last axis on; negative ones cut.
Value pad(Call& call) {
  const Tensor& input = call.tensor(0);
  const Sizes amounts = call.ints(1);
  const std::string mode = call.text(2, "constant");
  if (amounts.size() % 2 != 0 ||
      amounts.size() / 2 > static_cast<size_t>(input.dim())) {
    call.raise(
        "RuntimeError",
        "Padding length must be divisible by 2 and at most twice the number of "
        "dimensions of the input");
  }
  mx::array x = input.array();
  std::vector<int> axes;
  mx::Shape low, high;
  for (size_t i = 0; i < amounts.size() / 2; ++i) {
    const int axis = static_cast<int>(input.dim() - 1 - i);
    int64_t before = amounts[2 * i], after = amounts[2 * i + 1];
    if (mode != "constant") {
      if (before != 0 || after != 0) {
        x = mx::take(
            x,
            padded_positions(call, x.shape(axis), before, after, mode),
            axis);
      }
      continue;
    }
    mx::Shape start(x.ndim(), 0), stop = x.shape();
    start[axis] = static_cast<int>(std::max<int64_t>(-before, 0));
    stop[axis] -= static_cast<int>(std::max<int64_t>(-after, 0));
    if (stop[axis] < start[axis]) {
      call.raise("RuntimeError", "the padded size would be negative");
    }
    if (before < 0 || after < 0) {
      x = mx::slice(x, start, stop);
    }
    axes.push_back(axis);
    low.push_back(static_cast<int>(std::max<int64_t>(before, 0)));
    high.push_back(static_cast<int>(std::max<int64_t>(after, 0)));
  }
  if (mode == "constant" && !axes.empty()) {
    const Value fill = call.has(3) ? call.args[3] : Value::integer(0);
    x = mx::pad(x, axes, low, high, number_array(fill, input.dtype));
  }
  return call.make(x, input.dtype);
}

/// The largest (or mean) element of each window along the last axes.
Value avg_pool1d(Call& call) {
  const Tensor& input = call.tensor(0);
  const int64_t window = call.ints(1).at(0);
  const int64_t step = call.has(2) ? call.ints(2).at(0) : window;
  if (call.ints(3).at(0) != 0) {
    call.refuse_argument(3, "only padding=0 is known");
  }
  Sizes sizes = input.sizes, strides = row_major(input.sizes);
  sizes.push_back(window);
  strides.push_back(strides.back());
  sizes[input.dim() - 1] = (input.sizes.back() - window) / step + 1;
  strides[input.dim() - 1] *= step;
  const mx::array x = mx::as_strided(
      computed(input), to_shape(sizes), {strides.begin(), strides.end()}, 0);
  return call.cast(mx::mean(x, -1, false), input.dtype);
}

constexpr OpSpec kConvOps[] = {
    {"conv1d(input, weight, bias=None, stride=1, padding=0, dilation=1, "
     "groups=1)",
     conv1d,
     "F; torch"},
    {"conv2d(input, weight, bias=None, stride=1, padding=0, dilation=1, "
     "groups=1)",
     conv2d,
     "F; torch"},
    {"conv3d(input, weight, bias=None, stride=1, padding=0, dilation=1, "
     "groups=1)",
     conv3d,
     "F; torch"},
    {"pad(input, pad, mode=None, value=None)", pad, "F"},
    {"avg_pool1d(input, kernel_size, stride=None, padding=0)", avg_pool1d, "F"},
};

}  // namespace

std::span<const OpSpec> conv_ops() {
  return kConvOps;
}

}  // namespace portwright::torch

#include "torch/dispatch.h"
#include "torch/elementwise.h"

namespace portwright::torch {
namespace {

/// The trailing axes that `normalized_shape` names.
std::vector<int> normalized_axes(Call& call) {
  const Tensor& input = call.tensor(0);
  const Sizes shape = call.ints(1);
  const size_t lead = input.sizes.size() - shape.size();
  if (shape.empty() || shape.size() > input.sizes.size() ||
      !std::equal(shape.begin(), shape.end(), input.sizes.begin() + lead)) {
    call.raise(
        "RuntimeError",
        "Given normalized_shape=" + sizes_text(shape) +
            ", expected input with shape [*, " +
            fmt::format("{}", fmt::join(shape, ", ")) +
            "], but got input of size" + sizes_text(input.sizes));
  }
  std::vector<int> axes;
  for (size_t i = lead; i < input.sizes.size(); ++i) {
    axes.push_back(static_cast<int>(i));
  }
  return axes;
}

/// (x - mean) / sqrt(var + eps)
mx::array
standardized(const mx::array& x, const std::vector<int>& axes, double eps) {
  const mx::array centred = x - mx::mean(x, axes, true);
  const mx::array variance = mx::mean(mx::square(centred), axes, true);
  return centred * mx::rsqrt(variance + like(eps, x));
}

Value layer_norm(Call& call) {
  const Tensor& input = call.tensor(0);
  mx::array out =
      standardized(computed(input), normalized_axes(call), call.real(4));
  if (const Tensor* weight = call.tensor_or_null(2)) {
    out = out * computed(*weight);
  }
  if (const Tensor* bias = call.tensor_or_null(3)) {
    out = out + computed(*bias);
  }
  return call.cast(out, input.dtype);
}

/// x / sqrt(mean(x^2) + eps); eps is the type's own when not given. torch
/// rounds before it multiplies by the weight.
Value rms_norm(Call& call) {
  const Tensor& input = call.tensor(0);
  const auto axes = normalized_axes(call);
  const mx::array x = computed(input);
  const double eps =
      call.real(3, mx::finfo(to_mlx(compute_dtype(input.dtype))).eps);
  mx::array out =
      x * mx::rsqrt(mx::mean(mx::square(x), axes, true) + like(eps, x));
  Dtype dtype = input.dtype;
  if (const Tensor* weight = call.tensor_or_null(2)) {
    dtype = promote_types(dtype, weight->dtype).value_or(dtype);
    out = cast_array(out, compute_dtype(dtype)) *
          cast_array(weight->array(), compute_dtype(dtype));
  }
  return call.cast(out, dtype);
}

/// One value per channel, shaped to multiply (N, C, ...).
mx::array per_channel(const Tensor& t, size_t rank) {
  mx::Shape shape(rank, 1);
  shape[1] = static_cast<int>(t.numel());
  return mx::reshape(computed(t), shape);
}

Value group_norm(Call& call) {
  const Tensor& input = call.tensor(0);
  const int groups = static_cast<int>(call.integer(1));
  if (input.dim() < 2 || groups <= 0 || input.sizes[1] % groups != 0) {
    call.raise(
        "RuntimeError",
        "Expected number of channels in input to be divisible by num_groups, "
        "but got input of shape " +
            sizes_text(input.sizes) +
            " and num_groups=" + std::to_string(groups));
  }
  const mx::array x = computed(input);
  mx::array out = mx::reshape(
      standardized(mx::reshape(x, {x.shape(0), groups, -1}), {2}, call.real(4)),
      x.shape());
  if (const Tensor* weight = call.tensor_or_null(2)) {
    out = out * per_channel(*weight, x.ndim());
  }
  if (const Tensor* bias = call.tensor_or_null(3)) {
    out = out + per_channel(*bias, x.ndim());
  }
  return call.cast(out, input.dtype);
}

/// With running statistics; with the batch's own in training.
Value batch_norm(Call& call) {
  const Tensor& input = call.tensor(0);
  if (call.boolean(5)) {
    call.refuse_argument(5, "training changes the running statistics");
  }
  const Tensor &mean = call.tensor(1), &variance = call.tensor(2);
  const mx::array x = computed(input);
  const size_t rank = x.ndim();
  mx::array out =
      (x - per_channel(mean, rank)) *
      mx::rsqrt(per_channel(variance, rank) + like(call.real(7), x));
  if (const Tensor* weight = call.tensor_or_null(3)) {
    out = out * per_channel(*weight, rank);
  }
  if (const Tensor* bias = call.tensor_or_null(4)) {
    out = out + per_channel(*bias, rank);
  }
  return call.cast(out, input.dtype);
}

constexpr OpSpec kNormOps[] = {
    {"layer_norm(input, normalized_shape, weight=None, bias=None, eps=1e-05)",
     layer_norm,
     "F; torch(input, normalized_shape, weight=None, bias=None, eps=1e-05, "
     "cudnn_enable=True)"},
    {"rms_norm(input, normalized_shape, weight=None, eps=None)",
     rms_norm,
     "F; torch"},
    {"group_norm(input, num_groups, weight=None, bias=None, eps=1e-05)",
     group_norm,
     "F; torch"},
    {"batch_norm(input, running_mean, running_var, weight=None, bias=None, "
     "training=False, momentum=0.1, eps=1e-05)",
     batch_norm,
     "F"},
};

}  // namespace

std::span<const OpSpec> norm_ops() {
  return kNormOps;
}

}  // namespace portwright::torch

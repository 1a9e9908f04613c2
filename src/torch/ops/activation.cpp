#include <numbers>

#include "torch/dispatch.h"
#include "torch/elementwise.h"

namespace portwright::torch {
namespace {

/// Applies a function of the array, computed in float32 for half types.
template <typename F>
Value activation(Call& call, F function) {
  auto e = elementwise(call, {0});
  return finish(call, e, function(e.in[0]));
}

mx::array zero_of(const mx::array& x) {
  return like(0, x);
}

mx::array clipped(const mx::array& x, double low, double high) {
  return mx::minimum(mx::maximum(x, like(low, x)), like(high, x));
}

Value relu(Call& call) {
  return activation(
      call, [](const mx::array& x) { return mx::maximum(x, zero_of(x)); });
}

Value relu6(Call& call) {
  return activation(call, [](const mx::array& x) { return clipped(x, 0, 6); });
}

Value silu_op(Call& call) {
  return activation(call, [](const mx::array& x) { return silu(x); });
}

/// 0.5 x (1 + erf(x / sqrt 2)), or its tanh approximation
/// 0.5 x (1 + tanh(sqrt(2/pi) (x + 0.044715 x^3)))
Value gelu(Call& call) {
  const std::string kind = call.text(1, "none");
  if (kind != "none" && kind != "tanh") {
    call.raise(
        "RuntimeError", "approximate argument must be either none or tanh.");
  }
  return activation(call, [&](const mx::array& x) {
    const mx::array half = like(0.5, x);
    const mx::array one = like(1, x);
    if (kind == "none") {
      return half * x * (one + mx::erf(x * like(1 / std::numbers::sqrt2, x)));
    }
    const mx::array inner =
        like(std::numbers::sqrt2 * std::numbers::inv_sqrtpi, x) *
        (x + like(0.044715, x) * x * x * x);
    return half * x * (one + mx::tanh(inner));
  });
}

Value softplus_op(Call& call) {
  return activation(call, [&](const mx::array& x) {
    return softplus(x, call.real(1), call.real(2));
  });
}

/// min(0, x) - log1p(exp(-|x|))
Value logsigmoid(Call& call) {
  return activation(call, [](const mx::array& x) {
    return mx::minimum(x, zero_of(x)) -
           mx::log1p(mx::exp(mx::negative(mx::abs(x))));
  });
}

Value mish(Call& call) {
  return activation(call, [](const mx::array& x) {
    return x * mx::tanh(softplus(x, 1, 20));
  });
}

Value leaky_relu(Call& call) {
  return activation(call, [&](const mx::array& x) {
    return mx::where(mx::greater(x, zero_of(x)), x, x * like(call.real(1), x));
  });
}

mx::array elu_of(const mx::array& x, double alpha, double scale, double inner) {
  return mx::where(
      mx::greater(x, zero_of(x)),
      x * like(scale, x),
      mx::expm1(x * like(inner, x)) * like(alpha * scale, x));
}

/// The slope is one number, or one per channel (axis 1).
Value prelu(Call& call) {
  const Tensor& weight = call.tensor(1);
  return activation(call, [&](const mx::array& x) {
    mx::array slope = cast_array(weight.array(), compute_dtype(weight.dtype));
    mx::Shape shape(x.ndim(), 1);
    if (x.ndim() > 1) {
      shape[1] = static_cast<int>(weight.numel());
    } else if (x.ndim() == 1) {
      shape[0] = static_cast<int>(weight.numel());
    }
    slope = mx::reshape(slope, shape);
    return mx::where(mx::greater(x, zero_of(x)), x, x * slope);
  });
}

Value elu(Call& call) {
  return activation(
      call, [&](const mx::array& x) { return elu_of(x, call.real(1), 1, 1); });
}

Value selu(Call& call) {
  return activation(call, [](const mx::array& x) {
    return elu_of(x, 1.6732632423543772, 1.0507009873554805, 1);
  });
}

Value celu(Call& call) {
  return activation(call, [&](const mx::array& x) {
    return elu_of(x, call.real(1), 1, 1 / call.real(1));
  });
}

Value hardtanh(Call& call) {
  return activation(call, [&](const mx::array& x) {
    return clipped(x, call.real(1), call.real(2));
  });
}

Value hardsigmoid(Call& call) {
  return activation(call, [](const mx::array& x) {
    return clipped(x + like(3, x), 0, 6) / like(6, x);
  });
}

Value hardswish(Call& call) {
  return activation(call, [](const mx::array& x) {
    return x * clipped(x + like(3, x), 0, 6) / like(6, x);
  });
}

Value softsign(Call& call) {
  return activation(
      call, [](const mx::array& x) { return x / (like(1, x) + mx::abs(x)); });
}

Value tanhshrink(Call& call) {
  return activation(call, [](const mx::array& x) { return x - mx::tanh(x); });
}

Value threshold(Call& call) {
  return activation(call, [&](const mx::array& x) {
    return mx::where(
        mx::greater(x, like(call.real(1), x)), x, like(call.real(2), x));
  });
}

/// a * sigmoid(b), the halves of an axis.
Value glu(Call& call) {
  const Tensor& input = call.tensor(0);
  const int axis = call.axis(1, input.dim());
  if (input.dim() == 0 || input.sizes[axis] % 2 != 0) {
    call.raise("RuntimeError", "Halving dimension must be even");
  }
  const auto halves =
      mx::split(cast_array(input.array(), compute_dtype(input.dtype)), 2, axis);
  return call.cast(halves[0] * mx::sigmoid(halves[1]), input.dtype);
}

/// The input, cast to `dtype` when given, ready for a softmax.
mx::array softmax_input(Call& call, Dtype& dtype) {
  const Tensor& input = call.tensor(0);
  dtype = call.dtype(2, input.dtype);
  if (!is_floating_point(dtype)) {
    call.raise(
        "NotImplementedError",
        "\"softmax_lastdim_kernel_impl\" not implemented for '" +
            std::string(name(dtype)) + "'");
  }
  return cast_array(cast_array(input.array(), dtype), compute_dtype(dtype));
}

int softmax_axis(Call& call) {
  const int64_t rank = call.tensor(0).dim();
  if (!call.has(1)) {
    // What torch.nn.functional still guesses, with a warning.
    return rank == 0 || rank == 1 || rank == 3 ? 0 : 1;
  }
  return call.axis(1, rank);
}

Value softmax(Call& call) {
  Dtype dtype;
  const mx::array x = softmax_input(call, dtype);
  if (x.ndim() == 0) {
    return call.cast(mx::exp(x - x), dtype);
  }
  return call.cast(mx::softmax(x, softmax_axis(call), true), dtype);
}

Value log_softmax(Call& call) {
  Dtype dtype;
  const mx::array x = softmax_input(call, dtype);
  if (x.ndim() == 0) {
    return call.cast(x - x, dtype);
  }
  const int axis = softmax_axis(call);
  const mx::array shifted = x - mx::max(x, axis, true);
  return call.cast(
      shifted - mx::log(mx::sum(mx::exp(shifted), axis, true)), dtype);
}

Value softmin(Call& call) {
  Dtype dtype;
  const mx::array x = softmax_input(call, dtype);
  return call.cast(
      mx::softmax(mx::negative(x), softmax_axis(call), true), dtype);
}

/// Nothing happens at evaluation: the input itself comes back.
Value dropout(Call& call) {
  call.tensor(0);
  if (call.boolean(2, true) && call.real(1) != 0) {
    call.refuse_operation("dropout in training draws random numbers");
  }
  return call.args[0];
}

constexpr OpSpec kActivationOps[] = {
    {"relu(input)", relu, "torch; tensor; inplace; F(input, inplace=False)"},
    {"relu6(input)", relu6, "F(input, inplace=False)"},
    {"silu(input)", silu_op, "inplace; F(input, inplace=False)"},
    {"gelu(input, approximate=None)", gelu, "F(input, approximate=None)"},
    {"softplus(input, beta=1.0, threshold=20.0)", softplus_op, "F"},
    {"logsigmoid(input)", logsigmoid, "F; special:log_expit"},
    {"mish(input)", mish, "F(input, inplace=False)"},
    {"leaky_relu(input, negative_slope=0.01)",
     leaky_relu,
     "F(input, negative_slope=0.01, inplace=False)"},
    {"prelu(input, weight)", prelu, "F; torch"},
    {"elu(input, alpha=1.0)", elu, "F(input, alpha=1.0, inplace=False)"},
    {"selu(input)", selu, "F(input, inplace=False); torch"},
    {"celu(input, alpha=1.0)", celu, "F(input, alpha=1.0, inplace=False)"},
    {"hardtanh(input, min_val=-1.0, max_val=1.0)",
     hardtanh,
     "F(input, min_val=-1.0, max_val=1.0, inplace=False)"},
    {"hardsigmoid(input)", hardsigmoid, "F(input, inplace=False)"},
    {"hardswish(input)", hardswish, "F(input, inplace=False)"},
    {"softsign(input)", softsign, "F"},
    {"tanhshrink(input)", tanhshrink, "F"},
    {"threshold(input, threshold, value)",
     threshold,
     "F(input, threshold, value, inplace=False)"},
    {"glu(input, dim=-1)", glu, "F"},
    {"softmax(input, dim=None, dtype=None)",
     softmax,
     "torch(input, dim, dtype=None); tensor(input, dim, dtype=None); "
     "special(input, dim, dtype=None); "
     "F(input, dim=None, _stacklevel=3, dtype=None)"},
    {"log_softmax(input, dim=None, dtype=None)",
     log_softmax,
     "torch(input, dim, dtype=None); tensor(input, dim, dtype=None); "
     "special(input, dim, dtype=None); "
     "F(input, dim=None, _stacklevel=3, dtype=None)"},
    {"softmin(input, dim=None, dtype=None)",
     softmin,
     "F(input, dim=None, _stacklevel=3, dtype=None)"},
    {"dropout(input, p=0.5, training=True)",
     dropout,

     "F(input, p=0.5, training=True, inplace=False); "
     "F:dropout1d(input, p=0.5, training=True, inplace=False); "
     "F:dropout2d(input, p=0.5, training=True, inplace=False); "
     "F:alpha_dropout(input, p=0.5, training=False, inplace=False)"},
};

}  // namespace

std::span<const OpSpec> activation_ops() {
  return kActivationOps;
}

}  // namespace portwright::torch

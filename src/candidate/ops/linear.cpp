#include <cmath>

#include "candidate/op.h"

namespace portwright::candidate {
namespace {

std::pair<int, int> pair_of(Call& c, size_t i) {
  const auto both = c.integers(i);
  return {both.front(), both.back()};
}

Value rope(Call& c) {
  const mx::array& x = c.array(0);
  const int dims = c.integer(1);
  const bool traditional = c.boolean(2);
  const auto base =
      c.has(3) ? std::optional(static_cast<float>(c.real(3))) : std::nullopt;
  const float scale = static_cast<float>(c.real(4));
  const auto freqs = c.optional_array(6);
  if (as_array(c.args[5])) {
    return c.make(
        mx::fast::rope(x, dims, traditional, base, scale, c.array(5), freqs));
  }
  return c.make(
      mx::fast::rope(x, dims, traditional, base, scale, c.integer(5), freqs));
}

Value attention(Call& c) {
  std::string mode;
  std::optional<mx::array> mask;
  if (c.args[4].is_str()) {
    mode = c.text(4);
  } else {
    mask = c.optional_array(4);
  }
  // MLX divides by the number of key heads before it looks at the shapes.
  if (c.array(1).ndim() != 4 || c.array(1).shape(1) == 0) {
    c.interp.raise(
        "ValueError",
        "[scaled_dot_product_attention] keys need 4 dimensions and a head.");
  }
  return c.make(mx::fast::scaled_dot_product_attention(
      c.array(0),
      c.array(1),
      c.array(2),
      static_cast<float>(c.real(3)),
      mode,
      mask,
      c.optional_array(5)));
}

/// Which matrices of `x` are read. MLX looks for those that are not there past
/// its end: the first is read instead, and `all_there` is false for them.
std::optional<mx::array> within(
    const mx::array& x,
    const std::optional<mx::array>& indices,
    std::optional<mx::array>& all_there) {
  if (!indices || x.ndim() < 3) {
    return indices;
  }
  int count = 1;
  for (int axis = 0; axis + 2 < static_cast<int>(x.ndim()); ++axis) {
    count *= x.shape(axis);
  }
  const auto there = mx::logical_and(
      mx::greater_equal(*indices, mx::array(0)),
      mx::less(*indices, mx::array(count)));
  all_there = all_there ? mx::logical_and(*all_there, there) : there;
  return mx::where(there, *indices, mx::zeros_like(*indices));
}

/// Products with what is not there are no numbers.
mx::array only_there(
    const mx::array& products,
    const std::optional<mx::array>& all_there) {
  return all_there ? mx::where(
                         mx::expand_dims(*all_there, {-2, -1}),
                         products,
                         mx::array(NAN, products.dtype()))
                   : products;
}

/// MLX's CPU backend has it in float32 alone: the half types are computed so,
/// and rounded.
Value gather_mm(Call& c) {
  const mx::Dtype dtype = mx::result_type(c.array(0), c.array(1));
  std::optional<mx::array> there;
  const auto left = within(c.array(0), c.optional_array(2), there);
  const auto right = within(c.array(1), c.optional_array(3), there);
  const auto products = mx::gather_mm(
      mx::astype(c.array(0), mx::float32),
      mx::astype(c.array(1), mx::float32),
      left,
      right,
      c.boolean(4));
  return c.make(mx::astype(only_there(products, there), dtype));
}

Value gather_qmm(Call& c) {
  std::optional<mx::array> there;
  const auto left = within(c.array(0), c.optional_array(4), there);
  const auto right = within(c.array(1), c.optional_array(5), there);
  const auto products = mx::gather_qmm(
      c.array(0),
      c.array(1),
      c.array(2),
      c.optional_array(3),
      left,
      right,
      c.boolean(6),
      c.optional_integer(7),
      c.optional_integer(8),
      c.text(9),
      c.optional_array(11),
      c.boolean(10));
  return c.make(only_there(products, there));
}

Value quantized_matmul(Call& c) {
  return c.make(mx::quantized_matmul(
      c.array(0),
      c.array(1),
      c.array(2),
      c.optional_array(3),
      c.boolean(4),
      c.optional_integer(5),
      c.optional_integer(6),
      c.text(7)));
}

Value conv_general(Call& c) {
  return c.make(mx::conv_general(
      c.array(0),
      c.array(1),
      c.integers(2),
      c.integers(3),
      c.integers(4),
      c.integers(5),
      c.integer(6),
      c.boolean(7)));
}

/// As many axes, or a list of those of each.
Value tensordot(Call& c) {
  if (c.args[2].is_int()) {
    return c.make(mx::tensordot(c.array(0), c.array(1), c.integer(2)));
  }
  std::vector<std::vector<int>> axes;
  for (const Value& side : c.interp.to_vector(c.args[2])) {
    axes.emplace_back();
    for (const Value& axis : c.interp.to_vector(side)) {
      axes.back().push_back(static_cast<int>(axis.as_int()));
    }
  }
  return c.make(mx::tensordot(c.array(0), c.array(1), axes.at(0), axes.at(1)));
}

Value einsum(Call& c) {
  return c.make(mx::einsum(c.text(0), c.arrays(1)));
}

Value norm(Call& c) {
  const mx::array& a = c.array(0);
  const auto axes = c.has(2) ? std::optional(c.integers(2)) : std::nullopt;
  const bool keep = c.boolean(3);
  if (!c.has(1)) {
    return c.make(mx::linalg::norm(a, axes, keep));
  }
  if (c.args[1].is_str()) {
    return c.make(mx::linalg::norm(a, c.text(1), axes, keep));
  }
  return c.make(mx::linalg::norm(a, c.real(1), axes, keep));
}

const OpSpec kLinearOps[] = {
    {"addmm(c, a, b, /, alpha=1.0, beta=1.0)",
     kModule,
     [](Call& c) {
       return c.make(mx::addmm(
           c.array(0),
           c.array(1),
           c.array(2),
           static_cast<float>(c.real(3)),
           static_cast<float>(c.real(4))));
     }},
    {"gather_mm(a, b, /, lhs_indices=None, rhs_indices=None, *, "
     "sorted_indices=False)",
     kModule,
     gather_mm},
    {"gather_qmm(x, w, /, scales, biases=None, lhs_indices=None, "
     "rhs_indices=None, transpose=True, group_size=None, bits=None, "
     "mode='affine', *, sorted_indices=False, global_scale=None)",
     kModule,
     gather_qmm},
    {"quantized_matmul(x, w, /, scales, biases=None, transpose=True, "
     "group_size=None, bits=None, mode='affine')",
     kModule,
     quantized_matmul},
    {"quantize(w, /, group_size=None, bits=None, mode='affine', *, "
     "global_scale=None)",
     kModule,
     [](Call& c) {
       return c.tuple(mx::quantize(
           c.array(0),
           c.optional_integer(1),
           c.optional_integer(2),
           c.text(3),
           c.optional_array(4)));
     }},
    {"dequantize(w, /, scales, biases=None, group_size=None, bits=None, "
     "mode='affine', global_scale=None, dtype=None)",
     kModule,
     [](Call& c) {
       return c.make(mx::dequantize(
           c.array(0),
           c.array(1),
           c.optional_array(2),
           c.optional_integer(3),
           c.optional_integer(4),
           c.text(5),
           c.optional_array(6),
           c.dtype(7)));
     }},
    {"conv1d(input, weight, /, stride=1, padding=0, dilation=1, groups=1)",
     kModule,
     [](Call& c) {
       return c.make(mx::conv1d(
           c.array(0),
           c.array(1),
           c.integer(2),
           c.integer(3),
           c.integer(4),
           c.integer(5)));
     }},
    {"conv2d(input, weight, /, stride=1, padding=0, dilation=1, groups=1)",
     kModule,
     [](Call& c) {
       return c.make(mx::conv2d(
           c.array(0),
           c.array(1),
           pair_of(c, 2),
           pair_of(c, 3),
           pair_of(c, 4),
           c.integer(5)));
     }},
    {"conv_general(input, weight, /, stride=1, padding=0, kernel_dilation=1, "
     "input_dilation=1, groups=1, flip=False)",
     kModule,
     conv_general},
    {"einsum(subscripts, *operands)", kModule, einsum},
    {"inner(a, b, /)",
     kModule,
     [](Call& c) { return c.make(mx::inner(c.array(0), c.array(1))); }},
    {"outer(a, b, /)",
     kModule,
     [](Call& c) { return c.make(mx::outer(c.array(0), c.array(1))); }},
    {"tensordot(a, b, /, axes=2)", kModule, tensordot},
    {"norm(a, /, ord=None, axis=None, keepdims=False)", kLinalg, norm},
    {"rms_norm(x, weight, eps)",
     kFast,
     [](Call& c) {
       return c.make(mx::fast::rms_norm(
           c.array(0), c.optional_array(1), static_cast<float>(c.real(2))));
     }},
    {"layer_norm(x, weight, bias, eps)",
     kFast,
     [](Call& c) {
       return c.make(mx::fast::layer_norm(
           c.array(0),
           c.optional_array(1),
           c.optional_array(2),
           static_cast<float>(c.real(3))));
     }},
    {"rope(a, dims, *, traditional, base, scale, offset, freqs=None)",
     kFast,
     rope},
    {"scaled_dot_product_attention(q, k, v, *, scale, mask=None, sinks=None)",
     kFast,
     attention},
};

}  // namespace

std::span<const OpSpec> linear_ops() {
  return kLinearOps;
}

}  // namespace portwright::candidate

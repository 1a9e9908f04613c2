#include <cmath>

#include "torch/dispatch.h"
#include "torch/elementwise.h"
#include "torch/matmul.h"

namespace portwright::torch {
namespace {

/// Lower triangle of (rows, columns), aligned at the top left as torch does.
mx::array causal_mask(int rows, int columns) {
  const mx::array r = mx::reshape(mx::arange(rows), {rows, 1});
  const mx::array c = mx::reshape(mx::arange(columns), {1, columns});
  return mx::less_equal(c, r);
}

/// softmax(q k^T scale + mask) v over (..., length, head size). Rows that see
/// nothing become zero, as in torch.
Value scaled_dot_product_attention(Call& call) {
  const Tensor &query = call.tensor(0), &key = call.tensor(1),
               &value = call.tensor(2);
  if (call.real(4) != 0) {
    call.refuse_argument(4, "dropout draws random numbers");
  }
  const Dtype dtype = query.dtype;
  const auto computed = [](const Tensor& t) {
    return cast_array(t.array(), compute_dtype(t.dtype));
  };
  mx::array q = computed(query), k = computed(key), v = computed(value);
  if (call.boolean(7)) {  // enable_gqa
    const int groups = q.shape(-3) / std::max(k.shape(-3), 1);
    k = mx::repeat(k, groups, static_cast<int>(k.ndim()) - 3);
    v = mx::repeat(v, groups, static_cast<int>(v.ndim()) - 3);
  }
  const double scale =
      call.real(6, 1.0 / std::sqrt(static_cast<double>(query.sizes.back())));
  mx::array scores = product_of(q * like(scale, q), mx::swapaxes(k, -1, -2));
  const mx::array hidden =
      like(-std::numeric_limits<double>::infinity(), scores);
  if (call.boolean(5)) {
    if (call.has(3)) {
      call.raise(
          "RuntimeError",
          "_scaled_dot_product_attention: Explicit attn_mask should not be set "
          "when is_causal=True");
    }
    scores = mx::where(
        causal_mask(scores.shape(-2), scores.shape(-1)), scores, hidden);
  }
  if (const Tensor* mask = call.tensor_or_null(3)) {
    scores = mask->dtype == Dtype::Bool
                 ? mx::where(mask->array(), scores, hidden)
                 : scores + cast_array(mask->array(), compute_dtype(dtype));
  }
  const mx::array blind = mx::all(mx::equal(scores, hidden), -1, true);
  const mx::array weights =
      mx::where(blind, like(0, scores), mx::softmax(scores, -1, true));
  return call.cast(product_of(weights, v), dtype);
}

constexpr OpSpec kAttentionOps[] = {
    {"scaled_dot_product_attention(query, key, value, attn_mask=None, "
     "dropout_p=0.0, is_causal=False, scale=None, enable_gqa=False)",
     scaled_dot_product_attention,
     "F(query, key, value, attn_mask=None, dropout_p=0.0, is_causal=False, "
     "*, scale=None, enable_gqa=False)"},
};

}  // namespace

std::span<const OpSpec> attention_ops() {
  return kAttentionOps;
}

}  // namespace portwright::torch

#include "torch/dispatch.h"
#include "torch/indexing.h"

namespace portwright::torch {
namespace {

// In-place ops that have no form of their own returning a result.

Value copy(Call& call) {
  Tensor& self = call.self();
  call.check_writable(self);
  const Tensor* source = as_tensor(call.args[1]);
  if (!source && !call.args[1].is_number()) {
    call.bad_argument(1, "Tensor");
  }
  const Sizes from = source ? source->sizes : Sizes{};
  if (broadcast_sizes(call, self.sizes, from) != self.sizes) {
    call.raise(
        "RuntimeError",
        "output with shape " + sizes_text(self.sizes) +
            " doesn't match the broadcast shape");
  }
  call.store(
      self, source ? source->array() : number_array(call.args[1], self.dtype));
  return call.args[0];
}

Value zero(Call& call) {
  Tensor& self = call.self();
  call.store(self, mx::zeros({}, to_mlx(self.dtype)));
  return call.args[0];
}

Value fill_diagonal(Call& call) {
  Tensor& self = call.self();
  call.check_writable(self);
  if (self.dim() != 2 || call.boolean(2)) {
    call.refuse_operation("fill_diagonal_ other than of a matrix");
  }
  self.write(mx::where(
      mx::eye(
          static_cast<int>(self.sizes[0]),
          static_cast<int>(self.sizes[1]),
          0,
          mx::bool_),
      number_array(call.args[1], self.dtype),
      self.array()));
  return call.args[0];
}

/// Becomes the other tensor, storage and all.
Value set(Call& call) {
  call.self().rebind(call.tensor(1));
  return call.args[0];
}

Value setitem(Call& call) {
  set_item(call, call.self(), call.args[1], call.args[2]);
  return call.args[0];
}

/// Same elements under another shape, the tensor itself: whoever watches knows
/// it by the value it was.
Value become(Call& call, const char* shaped) {
  Tensor& self = call.self();
  const Value args[] = {call.args[0], call.args[1]};
  Call inner(call.interp, call.state, *find_op(shaped), args);
  const Value view = inner.op.body(inner);
  const auto id = self.value_id;
  const auto version = self.value_version;
  self.rebind(*as_tensor(view));
  self.value_id = id;
  self.value_version = version;
  return call.args[0];
}

Value squeeze_in_place(Call& call) {
  return become(call, "squeeze");
}

Value unsqueeze_in_place(Call& call) {
  return become(call, "unsqueeze");
}

constexpr OpSpec kInPlaceOps[] = {
    {"copy_(input, src)", copy, "tensor(input, src, non_blocking=False)"},
    {"zero_(input)", zero, "tensor"},
    {"fill_diagonal_(input, fill_value, wrap=False)", fill_diagonal, "tensor"},
    {"set_(input, source)", set, "tensor"},
    {"squeeze_(input, dim=None)", squeeze_in_place, "tensor"},
    {"unsqueeze_(input, dim)", unsqueeze_in_place, "tensor"},
    {"setitem_(input, index, value)", setitem, ""},
};

}  // namespace

std::span<const OpSpec> in_place_ops() {
  return kInPlaceOps;
}

}  // namespace portwright::torch

#include "candidate/op.h"

namespace portwright::candidate {
namespace {

/// Without an axis: of the flattened array. An int drops the axis.
Value take(Call& c) {
  const mx::array& a = c.array(0);
  if (c.args[1].is_integral()) {
    return c.make(
        c.has(2) ? mx::take(a, c.integer(1), c.integer(2))
                 : mx::take(a, c.integer(1)));
  }
  return c.make(
      c.has(2) ? mx::take(a, c.array(1), c.integer(2))
               : mx::take(a, c.array(1)));
}

Value take_along_axis(Call& c) {
  const mx::array& a = c.array(0);
  return c.make(
      c.has(2) ? mx::take_along_axis(a, c.array(1), c.integer(2))
               : mx::take_along_axis(mx::reshape(a, {-1}), c.array(1), 0));
}

Value put_along_axis(Call& c) {
  const mx::array& a = c.array(0);
  const mx::array values = c.operand(2, a.dtype());
  if (c.has(3)) {
    return c.make(mx::put_along_axis(a, c.array(1), values, c.integer(3)));
  }
  const mx::array flat =
      mx::put_along_axis(mx::reshape(a, {-1}), c.array(1), values, 0);
  return c.make(mx::reshape(flat, a.shape()));
}

const OpSpec kSelectOps[] = {
    {"take(a, /, indices, axis=None)", kModule, take},
    {"take_along_axis(a, /, indices, axis=None)", kModule, take_along_axis},
    {"put_along_axis(a, /, indices, values, axis=None)",
     kModule,
     put_along_axis},
};

}  // namespace

std::span<const OpSpec> select_ops() {
  return kSelectOps;
}

}  // namespace portwright::candidate

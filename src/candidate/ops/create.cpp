#include "candidate/op.h"

namespace portwright::candidate {
namespace {

Value arange(Call& c) {
  const bool stop_only = !c.has(1);
  const size_t step = 2;
  const double from = stop_only ? 0 : c.real(0);
  const double to = stop_only ? c.real(0) : c.real(1);
  const double by = c.has(step) ? c.real(step) : 1;
  const bool floats = c.args[0].is_float() ||
                      (c.has(1) && c.args[1].is_float()) ||
                      (c.has(step) && c.args[step].is_float());
  return c.make(
      mx::arange(from, to, by, c.dtype(3, floats ? mx::float32 : mx::int32)));
}

Value full(Call& c) {
  return c.make(mx::full(
      c.shape(0), c.operand(1, c.dtype(2)), c.dtype(2, c.operand(1).dtype())));
}

const OpSpec kCreateOps[] = {
    {"arange(start, stop=None, step=None, dtype=None)", kModule, arange},
    {"linspace(start, stop, num=50, dtype=None)",
     kModule,
     [](Call& c) {
       return c.make(mx::linspace(
           c.real(0), c.real(1), c.integer(2), c.dtype(3, mx::float32)));
     }},
    {"zeros(shape, dtype=None)",
     kModule,
     [](Call& c) {
       return c.make(mx::zeros(c.shape(0), c.dtype(1, mx::float32)));
     }},
    {"ones(shape, dtype=None)",
     kModule,
     [](Call& c) {
       return c.make(mx::ones(c.shape(0), c.dtype(1, mx::float32)));
     }},
    {"full(shape, vals, dtype=None)", kModule, full},
    {"zeros_like(a, /)",
     kModule,
     [](Call& c) { return c.make(mx::zeros_like(c.array(0))); }},
    {"ones_like(a, /)",
     kModule,
     [](Call& c) { return c.make(mx::ones_like(c.array(0))); }},
    {"eye(n, m=None, k=0, dtype=None)",
     kModule,
     [](Call& c) {
       return c.make(mx::eye(
           c.integer(0),
           c.integer(1, c.integer(0)),
           c.integer(2),
           c.dtype(3, mx::float32)));
     }},
    {"identity(n, dtype=None)",
     kModule,
     [](Call& c) {
       return c.make(mx::identity(c.integer(0), c.dtype(1, mx::float32)));
     }},
    {"tri(n, m=None, k=0, dtype=None)",
     kModule,
     [](Call& c) {
       return c.make(mx::tri(
           c.integer(0),
           c.integer(1, c.integer(0)),
           c.integer(2),
           c.dtype(3, mx::float32)));
     }},
    {"tril(x, k=0)",
     kModule,
     [](Call& c) { return c.make(mx::tril(c.array(0), c.integer(1))); }},
    {"triu(x, k=0)",
     kModule,
     [](Call& c) { return c.make(mx::triu(c.array(0), c.integer(1))); }},
    {"diag(a, /, k=0)",
     kBoth,
     [](Call& c) { return c.make(mx::diag(c.array(0), c.integer(1))); }},
    {"diagonal(a, offset=0, axis1=0, axis2=1)",
     kBoth,
     [](Call& c) {
       return c.make(
           mx::diagonal(c.array(0), c.integer(1), c.integer(2), c.integer(3)));
     }},
};

}  // namespace

std::span<const OpSpec> create_ops() {
  return kCreateOps;
}

}  // namespace portwright::candidate

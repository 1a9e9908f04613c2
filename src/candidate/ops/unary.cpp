#include "candidate/op.h"

namespace portwright::candidate {
namespace {

#define PW_UNARY(name, places)                                  \
  {                                                             \
#name "(a, /)", places,                                     \
        [](Call & c) { return c.make(mx::name(c.operand(0))); } \
  }

const OpSpec kUnaryOps[] = {
    PW_UNARY(abs, kBoth),
    PW_UNARY(arccos, kModule),
    PW_UNARY(arccosh, kModule),
    PW_UNARY(arcsin, kModule),
    PW_UNARY(arcsinh, kModule),
    PW_UNARY(arctan, kModule),
    PW_UNARY(arctanh, kModule),
    PW_UNARY(bitwise_invert, kModule),
    PW_UNARY(ceil, kModule),
    PW_UNARY(cos, kBoth),
    PW_UNARY(cosh, kModule),
    PW_UNARY(degrees, kModule),
    PW_UNARY(erf, kModule),
    PW_UNARY(erfinv, kModule),
    PW_UNARY(exp, kBoth),
    PW_UNARY(expm1, kModule),
    PW_UNARY(floor, kModule),
    PW_UNARY(isfinite, kModule),
    PW_UNARY(isinf, kModule),
    PW_UNARY(isnan, kModule),
    PW_UNARY(isneginf, kModule),
    PW_UNARY(isposinf, kModule),
    PW_UNARY(log, kBoth),
    PW_UNARY(log10, kBoth),
    PW_UNARY(log1p, kBoth),
    PW_UNARY(log2, kBoth),
    PW_UNARY(logical_not, kModule),
    PW_UNARY(negative, kModule),
    PW_UNARY(radians, kModule),
    PW_UNARY(reciprocal, kBoth),
    PW_UNARY(rsqrt, kBoth),
    PW_UNARY(sigmoid, kModule),
    PW_UNARY(sign, kModule),
    PW_UNARY(sin, kBoth),
    PW_UNARY(sinh, kModule),
    PW_UNARY(sqrt, kBoth),
    PW_UNARY(square, kBoth),
    PW_UNARY(stop_gradient, kModule),
    PW_UNARY(tan, kModule),
    PW_UNARY(tanh, kModule),
    PW_UNARY(trunc, kModule),
    {"__neg__(self)",
     kMethod,
     [](Call& c) { return c.make(mx::negative(c.array(0))); }},
    {"__pos__(self)", kMethod, [](Call& c) { return c.make(c.array(0)); }},
    {"__abs__(self)",
     kMethod,
     [](Call& c) { return c.make(mx::abs(c.array(0))); }},
    {"__invert__(self)",
     kMethod,
     [](Call& c) { return c.make(mx::bitwise_invert(c.array(0))); }},
    {"round(a, /, decimals=0)",
     kBoth,
     [](Call& c) { return c.make(mx::round(c.array(0), c.integer(1))); }},
    {"nan_to_num(a, nan=0.0, posinf=None, neginf=None)",
     kModule,
     [](Call& c) {
       const auto number = [&](size_t i) {
         return c.has(i) ? std::optional(static_cast<float>(c.real(i)))
                         : std::nullopt;
       };
       return c.make(mx::nan_to_num(
           c.operand(0), static_cast<float>(c.real(1)), number(2), number(3)));
     }},
    {"softmax(a, /, axis=None, *, precise=False)",
     kModule,
     [](Call& c) {
       const mx::array& a = c.array(0);
       return c.make(mx::softmax(a, c.axes(1, a.ndim()), c.boolean(2)));
     }},
};

#undef PW_UNARY

}  // namespace

std::span<const OpSpec> unary_ops() {
  return kUnaryOps;
}

}  // namespace portwright::candidate

#include "candidate/op.h"

namespace portwright::candidate {
namespace {

using Binary =
    mx::array (*)(const mx::array&, const mx::array&, mx::StreamOrDevice);

bool is_operand(const Value& value) {
  return value.is_number() || as_array(value);
}

template <Binary op>
Value function(Call& c) {
  const auto [a, b] = c.operands(0, 1);
  return c.make(op(a, b, {}));
}

/// The operator method: answers NotImplemented for what is no operand.
template <Binary op>
Value forward(Call& c) {
  return is_operand(c.args[1]) ? function<op>(c) : Value::not_implemented();
}

template <Binary op>
Value reflected(Call& c) {
  if (!is_operand(c.args[1])) {
    return Value::not_implemented();
  }
  const auto [b, a] = c.operands(1, 0);
  return c.make(op(b, a, {}));
}

/// x += y gives the object x its new array: other names for it see that.
template <Binary op>
Value in_place(Call& c) {
  const auto [a, b] = c.operands(0, 1);
  as_array(c.args[0])->array = op(a, b, {});
  return c.args[0];
}

/// Never equal to what is no operand.
template <Binary op>
Value equality(Call& c) {
  if (is_operand(c.args[1])) {
    return function<op>(c);
  }
  return Value::boolean(op == Binary(mx::not_equal));
}

/// In float32, rounded once, as MLX sums products of halves; its own loops over
/// them are the slower way on a CPU.
mx::array product(const mx::array& a, const mx::array& b, mx::StreamOrDevice) {
  const mx::Dtype type = a.dtype();
  if (type != b.dtype() || (type != mx::bfloat16 && type != mx::float16)) {
    return mx::matmul(a, b);
  }
  return mx::astype(
      mx::matmul(mx::astype(a, mx::float32), mx::astype(b, mx::float32)), type);
}

#define PW_OPERATOR(python, name)                                       \
  {"__" python "__(self, other)", kMethod, forward<mx::name>},          \
      {"__r" python "__(self, other)", kMethod, reflected<mx::name>}, { \
    "__i" python "__(self, other)", kMethod, in_place<mx::name>         \
  }
#define PW_COMPARISON(python, name) \
  { "__" python "__(self, other)", kMethod, forward<mx::name> }
#define PW_FUNCTION(name) \
  { #name "(a, b)", kModule, function < mx::name> }

const OpSpec kArithmeticOps[] = {
    PW_OPERATOR("add", add),
    PW_OPERATOR("sub", subtract),
    PW_OPERATOR("mul", multiply),
    PW_OPERATOR("truediv", divide),
    PW_OPERATOR("floordiv", floor_divide),
    PW_OPERATOR("mod", remainder),
    PW_OPERATOR("pow", power),
    {"__matmul__(self, other)", kMethod, forward<product>},
    {"__rmatmul__(self, other)", kMethod, reflected<product>},
    {"__imatmul__(self, other)", kMethod, in_place<product>},
    PW_OPERATOR("and", bitwise_and),
    PW_OPERATOR("or", bitwise_or),
    PW_OPERATOR("xor", bitwise_xor),
    PW_OPERATOR("lshift", left_shift),
    PW_OPERATOR("rshift", right_shift),
    PW_COMPARISON("lt", less),
    PW_COMPARISON("le", less_equal),
    PW_COMPARISON("gt", greater),
    PW_COMPARISON("ge", greater_equal),
    {"__eq__(self, other)", kMethod, equality<mx::equal>},
    {"__ne__(self, other)", kMethod, equality<mx::not_equal>},
    PW_FUNCTION(add),
    PW_FUNCTION(subtract),
    PW_FUNCTION(multiply),
    PW_FUNCTION(divide),
    PW_FUNCTION(floor_divide),
    PW_FUNCTION(remainder),
    PW_FUNCTION(power),
    {"matmul(a, b)", kModule, function<product>},
    PW_FUNCTION(maximum),
    PW_FUNCTION(minimum),
    PW_FUNCTION(equal),
    PW_FUNCTION(not_equal),
    PW_FUNCTION(less),
    PW_FUNCTION(less_equal),
    PW_FUNCTION(greater),
    PW_FUNCTION(greater_equal),
    PW_FUNCTION(logical_and),
    PW_FUNCTION(logical_or),
    PW_FUNCTION(logaddexp),
    PW_FUNCTION(arctan2),
    PW_FUNCTION(bitwise_and),
    PW_FUNCTION(bitwise_or),
    PW_FUNCTION(bitwise_xor),
    PW_FUNCTION(left_shift),
    PW_FUNCTION(right_shift),
    {"divmod(a, b)",
     kModule,
     [](Call& c) {
       const auto [a, b] = c.operands(0, 1);
       return c.list(mx::divmod(a, b));
     }},
    {"array_equal(a, b, equal_nan=False)",
     kModule,
     [](Call& c) {
       const auto [a, b] = c.operands(0, 1);
       return c.make(mx::array_equal(a, b, c.boolean(2)));
     }},
    {"allclose(a, b, /, rtol=1e-05, atol=1e-08, *, equal_nan=False)",
     kModule,
     [](Call& c) {
       return c.make(mx::allclose(
           c.array(0), c.array(1), c.real(2), c.real(3), c.boolean(4)));
     }},
    {"clip(a, /, a_min, a_max)",
     kModule,
     [](Call& c) {
       const mx::array& a = c.array(0);
       const auto bound = [&](size_t i) {
         return c.has(i) ? std::optional(c.operand(i, a.dtype()))
                         : std::nullopt;
       };
       if (!c.has(1) && !c.has(2)) {
         c.interp.raise(
             "ValueError", "[clip] At least one of a_min or a_max is needed.");
       }
       return c.make(mx::clip(a, bound(1), bound(2)));
     }},
    {"where(condition, x, y, /)",
     kModule,
     [](Call& c) {
       const auto [x, y] = c.operands(1, 2);
       return c.make(mx::where(c.operand(0), x, y));
     }},
};

#undef PW_OPERATOR
#undef PW_COMPARISON
#undef PW_FUNCTION

}  // namespace

std::span<const OpSpec> arithmetic_ops() {
  return kArithmeticOps;
}

}  // namespace portwright::candidate

import torch.nn.functional as F
from support import FLOATS, INTS, bools, case, floats, ints, over, positive

import torch

BOTH = [
    "add",
    "sub",
    "mul",
    "div",
    "maximum",
    "minimum",
    "fmod",
    "remainder",
    "floor_divide",
    "eq",
    "ne",
    "lt",
    "le",
    "gt",
    "ge",
    "logical_and",
    "logical_or",
    "logical_xor",
]
FLOATING = ["pow", "atan2", "logaddexp", "hypot", "xlogy"]
UNARY = [
    "neg",
    "abs",
    "sign",
    "square",
    "floor",
    "ceil",
    "trunc",
    "round",
    "exp",
    "expm1",
    "sin",
    "cos",
    "tan",
    "atan",
    "sinh",
    "cosh",
    "tanh",
    "sigmoid",
    "erf",
    "erfc",
    "isnan",
    "isinf",
    "isfinite",
    "logical_not",
    "positive",
    "asinh",
    "frac",
    "exp2",
    "sinc",
    "nan_to_num",
]
POSITIVE = ["log", "log2", "log10", "log1p", "sqrt", "rsqrt", "reciprocal"]


TENSORS_ONLY = ("maximum", "minimum", "logical_and", "logical_or", "logical_xor")


@over(*BOTH)
def float_binary(name):
    f = getattr(torch, name)
    a, b = floats(3, 4), floats(3, 4, seed=2)
    number = torch.tensor(1.5) if name in TENSORS_ONLY else 1.5
    return f(a, b), f(a, b[0]), f(a[:, :1], b), f(a, number), getattr(a, name)(b)


@over(*TENSORS_ONLY)
def numbers_are_not_taken(name):
    return getattr(torch, name)(floats(3), 1.5)


@over(*BOTH)
def half_binary(name):
    f = getattr(torch, name)
    out = []
    for dtype in (torch.bfloat16, torch.float16):
        a, b = floats(3, 4, dtype=dtype), floats(3, 4, seed=2, dtype=dtype)
        number = torch.tensor(0.3) if name in TENSORS_ONLY else 0.3
        out.append((f(a, b), f(a, number), f(a, torch.tensor(0.3)), f(a, b.float())))
    return out


@over(*BOTH)
def int_binary(name):
    f = getattr(torch, name)
    out = []
    for dtype in (torch.int64, torch.int32):
        a = ints(3, 4, low=-9, high=9, dtype=dtype)
        b = ints(3, 4, low=1, high=9, seed=2, dtype=dtype)
        small, real = 3, 2.5
        if name in TENSORS_ONLY:
            small, real = torch.tensor(3), torch.tensor(2.5)
        out.append((f(a, b), f(a, -b), f(a, small), f(a, real), f(a, floats(4) + 3.0)))
    return out


@over(
    "add",
    "mul",
    "maximum",
    "minimum",
    "eq",
    "ne",
    "bitwise_and",
    "bitwise_or",
    "bitwise_xor",
    "logical_and",
    "logical_or",
    "logical_xor",
)
def bool_binary(name):
    f = getattr(torch, name)
    return f(bools(4, 4), bools(4, 4, seed=2)), f(bools(4), bools(4, 4))


@over(*FLOATING)
def floating_binary(name):
    f = getattr(torch, name)
    return f(positive(3, 4), floats(3, 4, seed=2)), f(
        positive(3, 4, dtype=torch.bfloat16), floats(4, seed=2, dtype=torch.bfloat16)
    )


@over(*UNARY)
def unary(name):
    f = getattr(torch, name)
    return (
        f(floats(5, 7)),
        getattr(floats(3, 3), name)(),
        f(floats(4, dtype=torch.bfloat16)),
    )


@over(*POSITIVE)
def unary_positive(name):
    f = getattr(torch, name)
    return f(positive(5, 7)), getattr(positive(3, 3), name)(), f(ints(4, low=1, high=9))


@case
def erfinv():
    return (
        torch.erfinv(floats(20) * 0.45),
        torch.asin(floats(6) * 0.4),
        torch.acos(floats(6) * 0.4),
    )


@over(*FLOATS)
def pow_exponents(dtype):
    x = positive(3, 5, dtype=dtype)
    return (
        x**2,
        x**3,
        x**0.5,
        x**-0.5,
        x**-1,
        x**1.7,
        2.0**x,
        torch.pow(10000.0, x),
        torch.pow(x, torch.tensor(2.0)),
        x.pow(2),
        x.pow(x),
    )


@case
def int_pow():
    x = ints(6, low=-4, high=4)
    return x**2, x**0, x.float() ** 2, 2 ** ints(5, low=0, high=6), x**2.0


@case
def operators():
    a, b = floats(3, 4), floats(3, 4, seed=2)
    i, j = ints(6, low=-9, high=9), ints(6, low=1, high=5, seed=3)
    return (
        a + b,
        a - b,
        a * b,
        a / b,
        a // b,
        a % b,
        -a,
        +a,
        abs(a),
        1 - a,
        2 / a,
        3 + a,
        2 * a,
        2 // a,
        7 % b,
        i // j,
        i % j,
        i / j,
        -i // 2,
        i // 2,
        17 // j,
        17 % j,
        i & 3,
        i | 8,
        i ^ 5,
        ~i,
        i << 2,
        i >> 1,
        a == b,
        a != 0,
        a < 0.5,
        a >= b,
        0.5 > a,
    )


@case
def promotion_table():
    dtypes = (
        torch.bool,
        torch.uint8,
        torch.int8,
        torch.int16,
        torch.int32,
        torch.int64,
        torch.float16,
        torch.bfloat16,
        torch.float32,
        torch.float64,
    )
    out = []
    for x in dtypes:
        for y in dtypes:
            a, b = torch.ones(2, dtype=x), torch.ones(2, dtype=y)
            zero = torch.tensor(1, dtype=y)
            out.append(
                (
                    str((a * b).dtype),
                    str((a * zero).dtype),
                    str(torch.promote_types(x, y)),
                    torch.can_cast(x, y),
                    str(torch.result_type(a, zero)),
                )
            )
        for scalar in (True, 3, 2.5):
            out.append(
                (
                    str((torch.ones(2, dtype=x) * scalar).dtype),
                    str((torch.tensor(1, dtype=x) * scalar).dtype),
                )
            )
        out.append(str((torch.ones(2, dtype=x) / 2).dtype))
        out.append(str((torch.ones(2, dtype=x).sum()).dtype))
    return out


@case
def default_dtype():
    torch.set_default_dtype(torch.bfloat16)
    made = torch.zeros(2), torch.tensor([1.5]), torch.arange(3) / 2, torch.ones(2) * 1.5
    kept = torch.get_default_dtype()
    torch.set_default_dtype(torch.float32)
    return made, str(kept), torch.zeros(2)


@case
def integers_are_exact():
    big = torch.tensor([2**53 + 1, -(2**53) - 1, 2**62])
    return (
        big + 1,
        big * 3,
        big // 3,
        big % 7,
        big - 2**53,
        big.sum(),
        big.cumsum(0),
        big.abs(),
        big.max(),
        big.sort()[0],
        torch.where(big > 0, big, 0),
        big & 1,
        big == 2**53 + 1,
        big.clamp(min=5),
        torch.arange(2**53, 2**53 + 4),
    )


@case
def zero_division():
    out = []
    for f in (torch.floor_divide, torch.remainder):
        try:
            f(torch.tensor([1, 2]), torch.tensor([1, 0]))
            out.append("none")
        except RuntimeError:
            out.append("RuntimeError")
    return (
        out,
        torch.tensor([1, 0]) / torch.tensor([0, 0]),
        torch.tensor([1.0, -1.0]) // 0,
    )


@over(*FLOATS)
def clamps(dtype):
    x = floats(4, 5, dtype=dtype)
    return (
        x.clamp(-0.5, 0.5),
        x.clamp(min=0.1),
        x.clamp(max=0.1),
        torch.clamp(x, -1, 1),
        x.clamp_min(0.3),
        torch.clamp(x, min=x * 0.5),
        x.clip(0, 1),
        ints(6).clamp(2, 5),
    )


@over(*FLOATS)
def selections(dtype):
    x, m = floats(4, 5, dtype=dtype), bools(4, 5, seed=5)
    return (
        torch.where(m, x, 0.0),
        torch.where(m, x, -x),
        torch.where(m[0], x, 1),
        torch.where(m, 1.0, 2.0),
        torch.where(m, 1, 2),
        x.where(m, 0),
        x.masked_fill(m, float("-inf")),
        torch.masked_fill(x, m, 1.0),
        x.masked_fill(m[:1], torch.finfo(dtype).min),
        torch.where(m),
    )


@case
def fill_overflows():
    return floats(3, dtype=torch.float16).masked_fill(bools(3), -1e9)


@case
def fused_forms():
    a, b, c = floats(3, 4), floats(3, 4, seed=2), positive(3, 4, seed=3)
    return (
        torch.addcmul(a, b, c, value=0.5),
        torch.addcdiv(a, b, c),
        torch.lerp(a, b, 0.3),
        torch.lerp(a, b, c),
        torch.add(a, b, alpha=2),
        a.sub(b, alpha=0.5),
        torch.div(a, c, rounding_mode="floor"),
        torch.div(a, c, rounding_mode="trunc"),
        torch.div(ints(5, low=-9, high=9), 4, rounding_mode="trunc"),
        torch.multiply(a, b),
        torch.subtract(a, b),
        torch.rsub(a, 1),
        torch.greater(a, b),
        torch.lt(a, b),
        torch.ge(a, b),
        torch.ne(a, b),
    )


@case
def approximate_equality():
    a = floats(4)
    return (
        torch.allclose(a, a + 1e-9),
        torch.allclose(a, a + 1),
        torch.equal(a, a.clone()),
        torch.isclose(a, a + 1e-6),
        torch.equal(a, a[:3]),
        a is None,
        a == None,  # noqa: E711
        torch.isin(ints(6), torch.tensor([1, 3])),
        torch.isin(ints(6), 3),
    )


@case
def special_values():
    x = torch.tensor(
        [0.0, -0.0, float("inf"), float("-inf"), float("nan"), 88.0, -100.0, 1e-30]
    )
    return (
        torch.exp(x),
        torch.sigmoid(x),
        torch.tanh(x),
        torch.log(x),
        torch.nan_to_num(x),
        torch.nan_to_num(x, nan=1.0, posinf=2.0),
        x.clamp(-1, 1),
        torch.maximum(x, x[:1]),
        x.isposinf(),
        x.isneginf(),
        F.softplus(x),
        F.relu(x),
        torch.sign(x),
        x > 0,
        x == x,
        torch.nan_to_num(x.bfloat16()),
    )


@over(*INTS)
def int_unary(dtype):
    x = ints(3, 4, low=0, high=9, dtype=dtype)
    return (
        x.abs(),
        torch.square(x),
        torch.exp(x),
        x.float(),
        torch.sqrt(x),
        x.sign(),
        x.floor(),
    )


@case
def empty_and_scalar_tensors():
    e, s = torch.zeros(0, 3), torch.tensor(2.5)
    return (
        e + 1,
        e * e,
        torch.exp(e),
        e.sum(),
        e.sum(0),
        s + s,
        s * 2,
        s + torch.ones(2),
        s.exp(),
        torch.ones(2, dtype=torch.bfloat16) * s,
        torch.ones(2, dtype=torch.int64) * s,
        s > 1,
        torch.logical_and(s > 1, s < 3),
        torch.logical_not(s),
    )

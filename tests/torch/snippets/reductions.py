from support import FLOATS, INTS, bools, case, floats, ints, over, positive

import torch


@over("sum", "mean", "prod", "amax", "amin", "logsumexp")
def float_reduction(name):
    f = getattr(torch, name)
    out = []
    for dtype in FLOATS:
        x = floats(3, 4, 5, dtype=dtype)
        out.append(
            (
                f(x, dim=-1),
                f(x, dim=(0, 2)) if name != "prod" else f(x, 0),
                f(x, dim=1, keepdim=True),
                getattr(x, name)(dim=-1),
            )
        )
    return out


@over(
    "sum",
    "mean",
    "prod",
    "max",
    "min",
    "all",
    "any",
    "amax",
    "amin",
    "std",
    "var",
    "median",
    "argmax",
    "argmin",
)
def full_reduction(name):
    return getattr(torch, name)(floats(3, 4)), getattr(floats(3, 4, seed=4), name)()


@over("sum", "prod", "max", "min", "argmax", "argmin", "amax", "cumsum", "cumprod")
def int_reduction(name):
    out = []
    for dtype in INTS:
        x = ints(3, 4, high=6, dtype=dtype)
        out.append(getattr(torch, name)(x, dim=-1))
    return out


@case
def bool_reduction():
    m = bools(3, 4)
    return (
        m.sum(),
        m.sum(-1),
        m.all(),
        m.any(),
        m.all(-1),
        m.any(0, keepdim=True),
        m.long().sum(),
        torch._is_all_true(m),
        m._is_all_true(),
        m.cumsum(-1),
        torch.count_nonzero(m),
        torch.count_nonzero(m, dim=0),
        m.long().argmax(-1),
    )


@case
def sum_dtypes():
    x = floats(3, 4)
    return (
        x.sum(dtype=torch.float64),
        torch.sum(ints(4), dtype=torch.float32),
        x.bfloat16().sum(-1, dtype=torch.float32),
        x.mean(-1, dtype=torch.float64),
        ints(4).float().mean(),
        torch.mean(x),
        x.sum(()),
        x.sum([0, 1]),
    )


@case
def extremes_with_places():
    x = torch.tensor([[1.0, 3.0, 3.0], [2.0, 2.0, 0.0]])
    v, i = x.max(dim=-1)
    pair = torch.min(x, 1, keepdim=True)
    n = torch.tensor([1.0, 3.0, float("nan"), 2.0])
    return (
        v,
        i,
        pair.values,
        pair.indices,
        x.max(-1)[0],
        torch.max(x, x * 0 + 2),
        torch.min(x, other=x * 0 + 2),
        n.max(),
        n.argmax(),
        n.max(0)[1],
        n.min(),
        x.argmax(),
        x.argmax(0),
        x.argmax(-1, keepdim=True),
        torch.argmax(x, dim=1),
        torch.aminmax(x),
        torch.cummax(x, 1),
        torch.cummin(x, 0),
    )


@over(*FLOATS)
def spread(dtype):
    x = floats(3, 6, dtype=dtype)
    return (
        x.var(-1),
        x.std(-1),
        x.var(dim=-1, unbiased=False),
        x.std(0, keepdim=True),
        torch.std(x, dim=-1, correction=0),
        x.var(-1, keepdim=True, unbiased=False),
        torch.var_mean(x, dim=-1),
        torch.std_mean(x, -1),
        torch.var(x, -1, correction=1),
    )


@over(*FLOATS)
def norms(dtype):
    x = floats(3, 4, dtype=dtype)
    return (
        x.norm(),
        torch.norm(x, dim=-1),
        x.norm(2, dim=-1, keepdim=True),
        x.norm(p=1, dim=0),
        x.norm(float("inf"), -1),
        torch.linalg.vector_norm(x, dim=-1),
        x.norm(3.0, -1),
        torch.linalg.vector_norm(x, ord=1, dim=0, keepdim=True),
        torch.linalg.vector_norm(x),
        torch.nn.functional.normalize(x, dim=-1),
        torch.nn.functional.normalize(x, p=1.0, dim=0),
        torch.norm(x, p="fro"),
    )


@over(*FLOATS)
def scans(dtype):
    x = positive(3, 5, dtype=dtype)
    return (
        x.cumsum(-1),
        torch.cumsum(x, dim=0),
        x.cumprod(-1),
        torch.cumsum(x, 0, dtype=torch.float32),
        torch.diff(x),
        torch.diff(x, n=2, dim=0),
        torch.diff(x, prepend=x[:, :1]),
    )


@case
def log_scans():
    x = floats(3, 5)
    return (
        torch.logcumsumexp(x, -1),
        torch.logsumexp(x, dim=(0, 1)),
        torch.logsumexp(x, -1, True),
        torch.cosine_similarity(x, x.flip(0), dim=-1),
    )


@case
def empty_reductions():
    e = torch.zeros(0, 3)
    return (
        e.sum(),
        e.sum(1),
        e.sum(0),
        e.prod(),
        e.all(),
        e.any(),
        e.mean(1),
        torch.tensor(2.0).sum(-1),
    )

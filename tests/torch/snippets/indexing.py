from support import aliases, case, floats, ints, over

import torch

ROWS = torch.tensor([2, 0, -1])
GRID = torch.tensor([[0, 1], [2, -2]])
MASK = torch.tensor([True, False, True])

GETS = {
    "int": lambda x: x[1],
    "negative": lambda x: x[-1],
    "ints": lambda x: x[1, 2, 0],
    "slice": lambda x: x[:, 1:],
    "negative slice": lambda x: x[:, -2:],
    "steps": lambda x: x[::2, ::3],
    "empty slice": lambda x: x[2:1],
    "over the end": lambda x: x[1:100],
    "ellipsis": lambda x: x[..., 1],
    "ellipsis middle": lambda x: x[0, ..., 1],
    "ellipsis alone": lambda x: x[...],
    "none": lambda x: x[None],
    "none inside": lambda x: x[:, None, :, None],
    "none and ellipsis": lambda x: x[..., None],
    "list": lambda x: x[[0, 2]],
    "nested list": lambda x: x[[[0, 1], [2, 0]]],
    "tensor": lambda x: x[ROWS],
    "tensor 2d": lambda x: x[GRID],
    "tensor second": lambda x: x[:, ROWS],
    "tensor last": lambda x: x[..., ROWS],
    "tensor pair": lambda x: x[ROWS, ROWS],
    "broadcast pair": lambda x: x[ROWS[:, None], GRID[:1]],
    "split pair": lambda x: x[ROWS, :, ROWS],
    "int and tensor": lambda x: x[0, ROWS],
    "int between": lambda x: x[ROWS, 0, ROWS],
    "tensor slice int": lambda x: x[ROWS, :, 1],
    "slice tensor tensor": lambda x: x[:, ROWS, ROWS],
    "none and tensor": lambda x: x[None, ROWS],
    "mask": lambda x: x[MASK],
    "mask second": lambda x: x[:, torch.tensor([True, False, True, True])],
    "mask and tensor": lambda x: x[MASK, torch.tensor([1, 2])],
    "mask whole": lambda x: x[x > 0],
    "mask two axes": lambda x: x[x[..., 0] > 0],
    "mask list": lambda x: x[[True, False, True]],
    "zero-dim": lambda x: x[torch.tensor(1)],
    "zero-dim and slice": lambda x: x[:, torch.tensor(2)],
    "true": lambda x: x[True],
    "false": lambda x: x[False],
    "range": lambda x: x[list(range(2))],
    "arange pair": lambda x: x[torch.arange(3), torch.tensor([0, 1, 3])],
    "empty list": lambda x: x[[]],
    "empty tensor": lambda x: x[torch.tensor([], dtype=torch.long)],
    "int32 index": lambda x: x[ROWS.int()],
    "size as index": lambda x: x[: x.shape[0] - 1, -x.shape[2] :],
    "tensor bounds": lambda x: x[torch.tensor(0) : torch.tensor(2)],
}


@over(*list(GETS))
def get(name):
    x = floats(3, 4, 5)
    return GETS[name](x), GETS[name](ints(3, 4, 5))


@over(
    "int",
    "slice",
    "ellipsis",
    "none",
    "tensor",
    "mask",
    "list",
    "zero-dim",
    "true",
    "ints",
    "steps",
)
def get_aliases(name):
    x = floats(3, 4, 5)
    return aliases(x, GETS[name](x))


@over(*list(GETS))
def set_number(name):
    x = floats(3, 4, 5)
    probe = torch.arange(60).reshape(3, 4, 5)
    chosen = GETS[name](probe)
    mark = torch.zeros(60)
    mark[chosen.reshape(-1)] = 1
    return mark


SETS = [
    lambda x, v: x.__setitem__(1, v),
    lambda x, v: x.__setitem__((slice(None), 2), v),
    lambda x, v: x.__setitem__((slice(None), ROWS), v),
    lambda x, v: x.__setitem__(ROWS, v),
    lambda x, v: x.__setitem__((ROWS, slice(None), ROWS), v),
    lambda x, v: x.__setitem__(MASK, v),
    lambda x, v: x.__setitem__(x > 0, v),
    lambda x, v: x.__setitem__((Ellipsis, slice(None, None, 2)), v),
    lambda x, v: x.__setitem__((slice(None), ROWS, ROWS), v),
    lambda x, v: x.__setitem__((ROWS, torch.tensor([1, 2, 3])), v),
]


@over(*range(10))
def set_numbers(i):
    x, y = floats(3, 4, 5), ints(3, 4, 5)
    SETS[i](x, 7)
    SETS[i](y, 7)
    SETS[i](z := floats(3, 4, 5).transpose(0, 1).contiguous().transpose(0, 1), 1.5)
    return x, y, z


@case
def set_tensors():
    x = floats(3, 4, 5)
    x[0] = torch.arange(5.0)
    x[1, :, 2] = floats(4, seed=3)
    x[:, ROWS] = torch.ones(3, 1, 5) * 3
    x[MASK, 1] = torch.tensor([[5.0], [6.0]])
    x[..., 0] = 0
    x[2, 3, 4] = torch.tensor(9)
    x[1:2] = floats(1, 4, 5, seed=7)
    x[x < -1] = torch.tensor(0.25)
    y = torch.zeros(3, 4, 5, dtype=torch.int64)
    y[0] = x[0]
    y[torch.arange(3), torch.tensor([0, 1, 2])] = torch.arange(5)
    y[0, ..., None, 1] = 4
    z = torch.zeros(4, 4)
    z[1:3, 1:3] = 1
    z[:, -1:] += 2
    z[0] -= 1
    w = torch.zeros(2, 3)
    w[:] = torch.tensor([1.0, 2.0, 3.0])
    return x, y, z, w


@case
def out_of_range():
    x, out = floats(3, 4), []
    for f in (
        lambda: x[3],
        lambda: x[0, -5],
        lambda: x[torch.tensor([0, 3])],
        lambda: x[0, 0, 0],
        lambda: x[[5]],
        lambda: x[torch.tensor([True, False])],
        lambda: torch.nn.functional.embedding(torch.tensor([4]), floats(4, 2)),
        lambda: torch.gather(x, 1, torch.tensor([[4]])),
        lambda: x.index_select(0, torch.tensor([3])),
    ):
        try:
            f()
            out.append("fine")
        except (IndexError, RuntimeError):
            out.append("refused")
    return out


@case
def iteration_and_membership():
    x = ints(3, 2)
    rows = [row.sum() for row in x]
    first, second, third = x
    return (
        rows,
        first,
        third,
        3 in x,
        99 in x,
        len(x),
        [int(v) for v in x[0]],
        x.tolist(),
        list(x[0]),
    )


@case
def scalars():
    x = torch.tensor(3)
    y = torch.tensor([2.5])
    return (
        x.item(),
        y.item(),
        int(x),
        float(x),
        bool(x),
        int(y),
        list(range(x)),
        [1, 2, 3, 4][x],
        torch.tensor(True).item(),
        floats(2, 2).tolist(),
        torch.tensor(2).tolist(),
        bool(torch.tensor(0.0)),
        x == 3,
        not x,
        x and 5,
        f"{x}",
        f"{y.item():.2f}",
        max(x, torch.tensor(5)),
        torch.zeros(int(x)).shape,
        5 if y > 2 else 6,
        y.sum().item(),
        round(y.item()),
    )

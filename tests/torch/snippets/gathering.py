import torch.nn.functional as F
from support import FLOATS, bools, case, floats, ints, over

import torch


@over(*FLOATS)
def gathers(dtype):
    x = floats(3, 4, dtype=dtype)
    i = ints(3, 4, high=3)
    return (
        x.gather(1, i),
        torch.gather(x, 0, i),
        torch.gather(x, 1, i[:2, :2]),
        x.gather(-1, i[:, :1]),
        torch.index_select(x, 1, torch.tensor([2, 0])),
        x.index_select(0, torch.tensor([1, 1])),
        torch.take_along_dim(x, i, dim=1),
        torch.take(x, torch.tensor([[0, 5]])),
        F.embedding(i, x),
        F.embedding(i, x, padding_idx=0),
        F.embedding(i[0, 0], x),
        F.embedding(i.int(), x),
        x.masked_select(x > 0),
        torch.gather(floats(2, 3, 4), -1, ints(2, 3, 2, high=4)),
        torch.nonzero(x > 0),
        x.nonzero(),
        (x > 0).nonzero(as_tuple=True),
        torch.argwhere(x > 0),
    )


@over(*FLOATS)
def scatters(dtype):
    x = floats(3, 5, dtype=dtype)
    i = torch.tensor([[0, 1, 2], [4, 3, 2], [1, 0, 4]])
    s = floats(3, 3, seed=2, dtype=dtype)
    return (
        x.scatter(1, i, s),
        torch.scatter(x, 1, i, s),
        x.scatter(1, i, 1.5),
        x.scatter(0, i[:1] % 3, s),
        x.clone().scatter_(1, i, s),
        x.clone().scatter_(-1, i, 1),
        x.scatter(1, i, value=2.0),
        torch.zeros(3, 5, dtype=dtype).scatter_add_(1, i % 2, s),
        x.scatter_add(1, i, s),
        x.scatter_reduce(1, i % 2, s, reduce="sum"),
        x.scatter_reduce(1, i % 2, s, reduce="amax"),
        x.scatter_reduce(1, i % 2, s, reduce="amax", include_self=False),
        x.scatter_reduce(1, i % 2, s, reduce="amin", include_self=False),
        x.scatter_reduce(1, i % 2, s, reduce="sum", include_self=False),
        x.scatter_reduce(1, i % 2, s, reduce="prod", include_self=False),
        torch.zeros(3, 5, dtype=torch.bool).scatter_(1, i, True),
        x.scatter(1, i[:, :1], s[:, :1]),
    )


@over(*FLOATS)
def index_writes(dtype):
    x = floats(4, 3, dtype=dtype)
    i, s = torch.tensor([0, 2, 0]), floats(3, 3, seed=2, dtype=dtype)
    y, z, w = x.clone(), x.clone(), x.clone()
    y.index_add_(0, i, s)
    z.index_copy_(0, torch.tensor([1, 3]), s[:2])
    w.index_fill_(1, torch.tensor([0, 2]), -1)
    return (
        y,
        z,
        w,
        x.index_add(0, i, s),
        torch.index_add(x, 0, i, s, alpha=0.5),
        x.index_add(1, i, floats(4, 3, seed=3, dtype=dtype)),
        x.index_copy(1, torch.tensor([2]), floats(4, 1, dtype=dtype)),
        x.index_fill(0, torch.tensor([1]), 2),
        x.clone().index_put_((i,), torch.tensor(5.0, dtype=dtype)),
        x.masked_scatter(x > 0, floats(20, seed=5, dtype=dtype)),
        x.clone().masked_scatter_(bools(4, 3), floats(12, seed=6, dtype=dtype)),
    )


@case
def index_add_through_a_view():
    x = torch.zeros(5, 4)
    x[1:4].index_add_(0, torch.tensor([0, 2, 2]), floats(3, 4))
    x.t()[0].fill_(7)
    x[:, 1:3].scatter_(1, ints(5, 1, high=2), 9.0)
    x[0].copy_(torch.arange(4))
    return x


@over(*FLOATS)
def sorts(dtype):
    x = floats(3, 6, dtype=dtype)
    t = torch.tensor([3, 1, 2, 1, 3, 2, 1], dtype=dtype)
    v, i = torch.sort(x)
    w, j = torch.sort(t, descending=True, stable=True)
    return (
        v,
        i,
        w,
        j,
        torch.sort(x, dim=0, descending=True),
        x.sort(-1)[1],
        torch.sort(t, stable=True),
        x.argsort(),
        torch.argsort(x, dim=0),
        torch.argsort(t, stable=True),
        torch.argsort(t, descending=True, stable=True),
        torch.topk(x, 3),
        x.topk(2, dim=0),
        x.topk(2, largest=False),
        torch.topk(x, k=2, dim=-1, sorted=True).indices,
        torch.topk(x, 1).values,
        x.kthvalue(2),
        x.median(-1),
        torch.sort(ints(5, high=99)),
        x.sort().values,
    )


@case
def searches():
    s = torch.tensor([1.0, 3.0, 5.0, 7.0])
    v = torch.tensor([0.0, 3.0, 6.0, 9.0])
    return (
        torch.searchsorted(s, v),
        torch.searchsorted(s, v, right=True),
        torch.searchsorted(s, 4.0),
        torch.bucketize(v, s),
        torch.bucketize(v, s, right=True),
        torch.searchsorted(s, v, side="right"),
        torch.searchsorted(torch.tensor([1, 3, 5]), torch.tensor([[3], [4]])),
        torch.bucketize(torch.tensor(4), torch.tensor([1, 3, 5])),
    )


@case
def counting():
    x = ints(20, high=6)
    return (
        torch.histc(x.float(), bins=6, min=0, max=5),
        torch.histc(x.to(torch.float32), bins=4, min=0, max=8),
        torch.bincount(x),
        torch.bincount(x, minlength=9),
        torch.bincount(x, weights=torch.ones(20)),
        torch.unique(x),
        torch.unique(x, return_counts=True),
        torch.unique(x, return_inverse=True),
        torch.histc(floats(30), bins=5),
        torch.histc(x.double(), bins=6, min=0, max=5),
        x.unique(),
        torch.unique(x.reshape(4, 5), return_inverse=True, return_counts=True),
    )


@case
def runs():
    x = torch.tensor([1, 1, 2, 2, 2, 1, 3])
    return (
        torch.unique_consecutive(x),
        torch.unique_consecutive(x, return_inverse=True, return_counts=True),
        x.unique_consecutive(return_counts=True),
    )


@case
def router():
    logits = floats(6, 8)
    weights = torch.softmax(logits, dim=-1, dtype=torch.float32)
    top, chosen = torch.topk(weights, 2, dim=-1)
    top /= top.sum(dim=-1, keepdim=True)
    mask = F.one_hot(chosen, num_classes=8).permute(2, 1, 0)
    hit = torch.greater(mask.sum(dim=(-1, -2)), 0).nonzero()
    spread = torch.zeros_like(weights).scatter_(1, chosen, 1)
    out = torch.zeros(6, 4)
    x = floats(6, 4, seed=9)
    for e in hit:
        position, token = torch.where(mask[e].squeeze(0))
        out.index_add_(0, token, x[token] * top[token, position, None])
    order = torch.argsort(chosen.view(-1), stable=True)
    counts = torch.histc(chosen.view(-1).float(), bins=8, min=0, max=7)
    return out, spread, order, counts, counts.cumsum(0, dtype=torch.int32), top

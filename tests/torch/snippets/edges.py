import torch.nn.functional as F
from support import bools, case, floats, ints, over

import torch


@case
def other_spellings():
    x = floats(2, 3)
    return (
        torch.sum(x, dim=-1, keepdims=True),
        x.mean(axis=0),
        torch.ones(size=(2, 1)),
        x.flip(dims=(0,)),
        torch.flip(x, dims=(1,)),
        x.permute(dims=(1, 0)),
        torch.permute(x, (1, 0)),
        torch.zeros(size=[2], dtype=torch.int64),
        x.expand(size=(4, 2, 3)).shape,
        torch.arange(end=3),
        torch.arange(start=1, end=4),
        x.repeat(repeats=(1, 2)),
        x.max(axis=1).values,
        torch.amax(x, axis=(0, 1), keepdims=True),
        x.argmax(axis=-1),
        torch.cat(tensors=[x, x], dim=0),
        F.softmax(input=x, dim=0),
    )


ERRORS = {
    "matmul shapes": lambda: floats(2, 3) @ floats(2, 3),
    "linear shapes": lambda: F.linear(floats(2, 3), floats(4, 2)),
    "bmm batches": lambda: torch.bmm(floats(2, 3, 4), floats(3, 4, 2)),
    "broadcast": lambda: floats(2, 3) + floats(2, 4),
    "dim range": lambda: floats(2, 3).sum(2),
    "dim twice": lambda: floats(2, 3).sum((0, -2)),
    "softmax dim": lambda: F.softmax(floats(2, 3), dim=5),
    "cat shapes": lambda: torch.cat([floats(2, 3), floats(2, 4)]),
    "stack shapes": lambda: torch.stack([floats(2, 3), floats(2, 4)]),
    "view size": lambda: floats(2, 3).view(4, 2),
    "expand size": lambda: floats(2, 3).expand(4, 3),
    "split sizes": lambda: floats(5, 2).split([2, 2]),
    "int mean": lambda: ints(3).mean(),
    "bool sub": lambda: bools(3) - bools(3),
    "bool neg": lambda: -bools(3),
    "float and": lambda: floats(3) & floats(3),
    "ambiguous": lambda: bool(floats(3)),
    "no item": lambda: floats(3).item(),
    "int softmax": lambda: F.softmax(ints(3), dim=0),
    "mixed matmul": lambda: floats(2, 2) @ floats(2, 2).bfloat16(),
    "scatter dtype": lambda: floats(2, 2).scatter(0, ints(2, 2, high=2), ints(2, 2)),
    "index dtype": lambda: floats(2, 2)[floats(2)],
    "mask dtype": lambda: floats(2).masked_fill(ints(2), 1.0),
    "mask shape": lambda: floats(2, 3)[bools(3)],
    "set shape": lambda: floats(2, 3).__setitem__(0, floats(2)),
    "topk size": lambda: floats(3).topk(4),
    "layer norm shape": lambda: F.layer_norm(floats(2, 3), (4,)),
    "conv channels": lambda: F.conv1d(floats(1, 3, 5), floats(2, 2, 2)),
    "negative int power": lambda: ints(3) ** -1,
    "one hot range": lambda: F.one_hot(torch.tensor([3]), 2),
    "squeeze dim": lambda: floats(2).squeeze(3),
    "permute rank": lambda: floats(2, 3).permute(0),
    "reshape minus": lambda: floats(4).reshape(-2, 2),
    "iterate scalar": lambda: list(torch.tensor(1)),
    "len scalar": lambda: len(torch.tensor(1)),
    "arange sign": lambda: torch.arange(5, 0),
    "unknown keyword": lambda: torch.add(floats(2), floats(2), beta=2),
    "number for tensor": lambda: torch.exp(2.0),
    "cat of scalar": lambda: torch.cat([torch.tensor(1), torch.tensor(2)]),
}


@over(*list(ERRORS))
def error(name):
    return ERRORS[name]()


SHAPES = [(0,), (1,), (), (2, 0, 3), (1, 1, 1), (3, 1), (2, 3, 4, 2)]


@over(*SHAPES)
def every_shape(shape):
    x, m = floats(*shape), bools(*shape)
    out = [
        x + x,
        x * 2,
        x.exp(),
        x.sum(),
        x > 0,
        torch.where(m, x, -x),
        x.masked_fill(m, 0.0),
        x.to(torch.bfloat16),
        x.clone(),
        x.reshape(-1),
        x.flatten(),
        x.unsqueeze(0),
        x.squeeze(),
        x.clamp(-1, 1),
        torch.zeros_like(x),
        x.numel(),
        x.shape,
        x.stride(),
        x.is_contiguous(),
        torch.stack([x, x]),
        x.contiguous().view(x.shape),
        x[...],
        x[None],
        x[m],
        x.tolist(),
        m.any(),
        m.all(),
        m.nonzero(),
        x.cumsum(-1),
        F.softmax(x, dim=-1),
        x.norm(),
    ]
    if x.dim() > 0:
        out += [
            x.sum(-1),
            x.mean(0),
            x.transpose(0, -1),
            torch.cat([x, x], dim=-1),
            x.flip(0),
            x[:1],
            x.sort(-1)[0],
            x.repeat(*([2] * x.dim())),
            F.pad(x, (1, 0)),
            x.chunk(2, 0),
        ]
    return out


NEGATIVE = {
    "sum": lambda x, d: x.sum(d),
    "softmax": lambda x, d: x.softmax(d),
    "unsqueeze": lambda x, d: x.unsqueeze(d),
    "cat": lambda x, d: torch.cat([x, x], d),
    "stack": lambda x, d: torch.stack([x, x], d),
    "chunk": lambda x, d: x.chunk(2, d),
    "split": lambda x, d: x.split(1, d),
    "cumsum": lambda x, d: x.cumsum(d),
    "argmax": lambda x, d: x.argmax(d),
    "max": lambda x, d: x.max(d),
    "sort": lambda x, d: x.sort(d),
    "topk": lambda x, d: x.topk(1, d),
    "flip": lambda x, d: x.flip(d),
    "unbind": lambda x, d: x.unbind(d),
    "roll": lambda x, d: x.roll(1, d),
    "select": lambda x, d: x.select(d, -1),
    "narrow": lambda x, d: x.narrow(d, 0, 1),
    "index_select": lambda x, d: x.index_select(d, torch.tensor([0])),
    "repeat_interleave": lambda x, d: x.repeat_interleave(2, d),
    "transpose": lambda x, d: x.transpose(d, 0),
    "flatten": lambda x, d: x.flatten(d),
    "std": lambda x, d: x.std(d),
    "logsumexp": lambda x, d: x.logsumexp(d),
    "diff": lambda x, d: x.diff(dim=d),
    "glu": lambda x, d: F.glu(torch.cat([x, x], d), d),
}


@over(*list(NEGATIVE))
def every_axis(name):
    x = floats(2, 3, 4)
    return [NEGATIVE[name](x, d) for d in (-3, -2, -1, 0, 1, 2)]


@over(torch.bfloat16, torch.float16, torch.float64)
def decoder_layer(dtype):
    """A whole layer, so that roundings meet as they do in a model."""
    x = floats(2, 5, 16, dtype=dtype)
    w = [floats(16, 16, seed=s, dtype=dtype) * 0.2 for s in range(2, 9)]
    h = x.to(torch.float32)
    h = (h * torch.rsqrt(h.pow(2).mean(-1, keepdim=True) + 1e-6)).to(dtype)
    q, k, v = (F.linear(h, w[i]).view(2, 5, 4, 4).transpose(1, 2) for i in range(3))
    scores = torch.matmul(q, k.transpose(2, 3)) * 4**-0.5
    mask = torch.full((5, 5), torch.finfo(dtype).min, dtype=dtype).triu(1)
    weights = F.softmax(scores + mask, dim=-1, dtype=torch.float32).to(dtype)
    out = torch.matmul(weights, v).transpose(1, 2).reshape(2, 5, -1).contiguous()
    x = x + F.linear(out, w[3])
    return q, weights, F.silu(F.linear(x, w[4])) * F.linear(x, w[5])

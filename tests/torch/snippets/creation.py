import torch.nn.functional as F
from support import FLOATS, bools, case, floats, ints, over

import torch

DTYPES = (
    torch.float32,
    torch.bfloat16,
    torch.float64,
    torch.int64,
    torch.int32,
    torch.bool,
)


@over(*DTYPES)
def constants(dtype):
    x = floats(2, 3)
    return (
        torch.zeros(2, 3, dtype=dtype),
        torch.ones((2, 1), dtype=dtype),
        torch.full((2, 2), 1, dtype=dtype),
        torch.zeros_like(x, dtype=dtype),
        torch.ones_like(x, dtype=dtype),
        torch.full_like(x, 2, dtype=dtype),
        x.new_zeros(2, dtype=dtype),
        x.new_ones((2, 2), dtype=dtype),
        x.new_full((3,), 1, dtype=dtype),
        torch.eye(3, dtype=dtype),
        torch.empty(2, 3, dtype=dtype).shape,
        torch.empty_like(x, dtype=dtype).dtype,
        x.new_empty(4, dtype=dtype).shape,
        torch.scalar_tensor(1, dtype=dtype),
    )


@case
def defaults():
    x = ints(2, 3)
    return (
        torch.zeros(2),
        torch.ones([2, 3]),
        torch.full((2,), 3),
        torch.full((2,), 3.5),
        torch.full((2,), True),
        x.new_zeros(2),
        x.new_ones(2),
        torch.zeros(()),
        torch.eye(2, 3),
        torch.zeros_like(x),
        torch.full_like(x, 7),
        torch.full((2,), torch.tensor(1.5)),
        torch.zeros(0, 4),
        torch.zeros(torch.Size([2])),
        torch.zeros(2, device="cpu"),
        torch.scalar_tensor(2.5),
        x.new(2, 3).shape,
        torch.tensor([]),
        torch.zeros(x.shape),
    )


@case
def ranges():
    return (
        torch.arange(5),
        torch.arange(2, 8),
        torch.arange(1, 10, 3),
        torch.arange(5.0),
        torch.arange(0, 1, 0.25),
        torch.arange(5, 0, -2),
        torch.arange(0, 8, 2, dtype=torch.float32),
        torch.arange(3, dtype=torch.int32),
        torch.arange(0, 64, 2, dtype=torch.int64).float() / 64,
        torch.arange(4, device="cpu"),
        torch.arange(0),
        torch.arange(1, 4, dtype=torch.bfloat16),
        torch.linspace(0, 1, 7),
        torch.linspace(-3, 3, 4),
        torch.arange(torch.tensor(3)),
        torch.arange(0, 10, 3, dtype=torch.float64),
        torch.linspace(1, 2, 1),
        torch.arange(-2.5, 2),
    )


@case
def from_data():
    return (
        torch.tensor([1, 2]),
        torch.tensor([1.0, 2]),
        torch.tensor([[True], [False]]),
        torch.tensor(3),
        torch.tensor(2.5),
        torch.tensor(True),
        torch.tensor([[1, 2], [3, 4]]),
        torch.tensor([1, 2], dtype=torch.float32),
        torch.tensor([1.7, -1.7], dtype=torch.int64),
        torch.tensor((1, 2.5)),
        torch.tensor(floats(2)),
        torch.tensor([torch.tensor(1), torch.tensor(2)]),
        torch.as_tensor([1, 2]),
        torch.as_tensor(2.0),
        torch.Tensor([1, 2]),
        torch.tensor([float("inf")]),
        torch.tensor([1, 2], dtype=torch.bool),
        torch.tensor([2**40]),
        torch.tensor([[], []]),
        torch.LongTensor([1, 2]),
        torch.FloatTensor([1, 2]),
        torch.tensor(range(3)),
    )


@case
def new_tensors():
    x = floats(2)
    return (
        x.new_tensor([1.5, 2]),
        x.new_tensor([1, 2]),
        x.new_tensor([1.5], dtype=torch.float64),
        x.new_tensor(floats(2, seed=3)),
    )


@case
def triangles():
    x, m = floats(4, 5), bools(3, 3)
    return (
        torch.tril(x),
        torch.triu(x),
        torch.tril(x, diagonal=1),
        torch.triu(x, -1),
        x.triu(diagonal=2),
        x.tril(),
        torch.ones(3, 3, dtype=torch.bool).tril(),
        torch.full((3, 3), float("-inf")).triu(1),
        floats(2, 3, 3).tril(-1),
        torch.triu(m),
        torch.tril_indices(3, 3),
        torch.triu_indices(3, 4, 1),
        torch.diag(floats(3)),
        torch.diag(x),
        torch.diag_embed(floats(2, 3)),
        torch.ones(3, 3, dtype=torch.bool).triu(1),
    )


@case
def one_hot():
    i = ints(2, 3, high=4)
    return (
        F.one_hot(i, num_classes=5),
        F.one_hot(torch.tensor([0, 2])),
        F.one_hot(i, 4).sum(-1),
    )


@case
def joins():
    a, b = floats(2, 3), floats(2, 3, seed=2)
    return (
        torch.cat([a, b]),
        torch.cat((a, b), dim=-1),
        torch.cat((a, b), axis=-1),
        torch.softmax(a, axis=0),
        torch.concat([a, b], 1),
        torch.concatenate([a, b]),
        torch.stack([a, b]),
        torch.stack((a, b), dim=-1),
        torch.stack([a, b], 1),
        torch.hstack([a, b]),
        torch.vstack([a, b]),
        torch.cat([a, a.long()]),
        torch.cat([torch.zeros(0), a]),
        torch.cat([a.bfloat16(), b.bfloat16()]),
        torch.cat([a, b.bfloat16()], dim=0),
        torch.hstack([a[0], b[0]]),
        torch.cat([bools(2), bools(2)]),
        torch.stack([torch.tensor(1), torch.tensor(2)]),
    )


@case
def repetitions():
    x = floats(2, 3)
    return (
        x.repeat(2, 1),
        x.repeat(2, 2, 1),
        x.repeat_interleave(2, dim=0),
        x.repeat_interleave(3, -1),
        torch.repeat_interleave(x, 2, dim=1),
        torch.repeat_interleave(x, 2),
        torch.repeat_interleave(x, torch.tensor([1, 2]), dim=0),
        torch.repeat_interleave(torch.tensor([2, 0, 1])),
        x.tile(2),
        x.tile(2, 1),
        torch.tile(x, (1, 2)),
        x.roll(1),
        x.roll(1, 0),
        torch.roll(x, (1, -1), (0, 1)),
        x.flip(0),
        x.flip(0, 1),
        torch.flip(x, dims=[-1]),
        x.repeat((1, 2)),
        torch.meshgrid(torch.arange(2), torch.arange(3), indexing="ij"),
        torch.repeat_interleave(x, torch.tensor([2, 1]), dim=0, output_size=3),
    )


@over(*FLOATS)
def conversions(dtype):
    x = floats(2, 3) * 3
    y = x.to(dtype)
    return (
        y,
        y.float(),
        y.to(torch.int64),
        y.long(),
        y.int(),
        y.bool(),
        x.type(dtype),
        x.type_as(y),
        y.type(),
        y.to(x),
        y.to(x.dtype),
        y.to("cpu"),
        y.to("cpu", torch.float32),
        y.to(device="cpu", dtype=dtype),
        y.to(x.device),
        y.half(),
        y.bfloat16(),
        y.double(),
        ints(3).to(dtype),
        bools(3).to(dtype),
        y.to(torch.uint8).dtype,
        y.to(dtype, copy=True),
        y.cpu(),
        x.to(torch.bfloat16).to(torch.float16),
        torch.as_tensor(y, dtype=torch.float32),
    )


@case
def dtype_objects():
    return (
        str(torch.float32),
        repr(torch.bfloat16),
        torch.float16 == torch.half,
        torch.int64 is torch.long,
        torch.float32.is_floating_point,
        torch.int8.is_floating_point,
        torch.bfloat16.itemsize,
        torch.finfo(torch.float32).min,
        torch.finfo(torch.bfloat16).max,
        torch.finfo(torch.float16).eps,
        torch.iinfo(torch.int64).max,
        torch.iinfo(torch.int32).min,
        torch.finfo(torch.float32).tiny,
        torch.zeros(1).dtype == torch.float32,
        isinstance(torch.float32, torch.dtype),
        torch.is_tensor(torch.zeros(1)),
        torch.is_floating_point(torch.zeros(1)),
        ints(2).is_floating_point(),
        torch.zeros(1).is_cuda,
        str(torch.zeros(1).device),
        torch.zeros(1).device == torch.device("cpu"),
        torch.zeros(1).device.type,
        torch.device("cuda:1").index,
        isinstance(torch.zeros(1), torch.Tensor),
        torch.is_grad_enabled(),
    )

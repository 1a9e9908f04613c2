from support import aliases, case, floats, ints, over

import torch

VIEWS = {
    "view": lambda x: x.view(6, 4),
    "view_infer": lambda x: x.view(-1, 2, 2),
    "reshape": lambda x: x.reshape(4, -1),
    "reshape_copy": lambda x: x.transpose(0, 1).reshape(-1),
    "flatten": lambda x: x.flatten(1),
    "flatten_copy": lambda x: x.transpose(1, 2).flatten(),
    "transpose": lambda x: x.transpose(0, 2),
    "permute": lambda x: x.permute(2, 0, 1),
    "t": lambda x: x[0].t(),
    "T": lambda x: x[0].T,
    "mT": lambda x: x.mT,
    "unsqueeze": lambda x: x.unsqueeze(1),
    "squeeze": lambda x: x.unsqueeze(0).squeeze(0),
    "squeeze_all": lambda x: x[:, :1].squeeze(),
    "select": lambda x: x.select(1, 2),
    "narrow": lambda x: x.narrow(-1, 1, 2),
    "slice": lambda x: x[:, 1:3],
    "steps": lambda x: x[..., ::2],
    "int_index": lambda x: x[1],
    "none_index": lambda x: x[:, None, 1],
    "chunk": lambda x: x.chunk(2, -1)[1],
    "split": lambda x: x.split([1, 2], dim=1)[1],
    "unbind": lambda x: x.unbind(0)[1],
    "diagonal": lambda x: x[0].diagonal(),
    "diagonal_batch": lambda x: x.diagonal(offset=1, dim1=-2, dim2=-1),
    "detach": lambda x: x.detach(),
    "data": lambda x: x.data,
    "contiguous": lambda x: x.contiguous(),
    "contiguous_copy": lambda x: x.transpose(0, 1).contiguous(),
    "clone": lambda x: x.clone(),
    "torch.clone": lambda x: torch.clone(x),
    "torch.reshape": lambda x: torch.reshape(x, (6, 4)),
    "to_same": lambda x: x.to(torch.float32),
    "to_other": lambda x: x.to(torch.float64),
    "float": lambda x: x.float(),
    "movedim": lambda x: x.movedim(0, -1),
    "swapaxes": lambda x: x.swapaxes(0, 1),
    "unflatten": lambda x: x.unflatten(-1, (2, 2)),
    "view_as": lambda x: x.view_as(torch.zeros(8, 3)),
    "reshape_as": lambda x: x.reshape_as(torch.zeros(3, 8)),
    "expand_same": lambda x: x.expand(2, 3, 4),
    "advanced": lambda x: x[torch.tensor([0, 1])],
    "mask": lambda x: x[x > -9],
    "list_index": lambda x: x[[1, 0]],
    "repeat": lambda x: x.repeat(1, 1, 1),
    "cat": lambda x: torch.cat([x]),
    "flip": lambda x: x.flip(0),
    "roll": lambda x: x.roll(1, 0),
    "deep": lambda x: x.transpose(1, 2)[1:, ::2].unsqueeze(0)[0, :, :, 1:],
    "tensor_split": lambda x: torch.tensor_split(x, 2, dim=2)[0],
    "ravel": lambda x: x.ravel(),
    "atleast": lambda x: torch.atleast_2d(x[0, 0]),
    "broadcast_to": lambda x: torch.broadcast_to(x, (2, 3, 4)),
    "as_strided": lambda x: x.as_strided((2, 2), (3, 1), 2),
}


@over(*list(VIEWS))
def alias_behaviour(name):
    x = floats(2, 3, 4)
    y = VIEWS[name](x)
    return y.clone(), y.shape, y.stride(), y.is_contiguous(), aliases(x, y)


@over(*list(VIEWS))
def layout_of_results(name):
    y = VIEWS[name](floats(2, 3, 4))
    z = y * 2 + 1
    return (
        z.stride(),
        z.is_contiguous(),
        (y + y.clone()).stride(),
        y.exp().is_contiguous(),
    )


@case
def elementwise_layouts():
    a = floats(2, 3, 4).transpose(0, 2)
    b = floats(4, 3, 2)
    c = floats(3, 4, 2).permute(1, 0, 2)
    return (
        (a + b).stride(),
        (b + a).stride(),
        (a + c).stride(),
        (c * b).stride(),
        (a + 1).stride(),
        (a > 0).stride(),
        a.float().stride(),
        a.bfloat16().stride(),
        torch.zeros_like(a).stride(),
        torch.empty_like(a).stride(),
        a.clone().stride(),
        torch.where(a > 0, a, b).stride(),
        (a[:, :1] * b).stride(),
        (a[:1] + c).stride(),
        (floats(3, 1).expand(3, 4) + floats(4)).stride(),
        floats(3, 1).expand(3, 4).clone().stride(),
        (a.expand(4, 3, 2) * floats(2)).stride(),
        torch.softmax(a, -1).stride(),
        (a @ a.transpose(1, 2)).stride(),
        a.sum(1).stride(),
        (a[..., ::2] + 1).stride(),
    )


@case
def layouts_of_other_results():
    x = floats(3, 4).t()
    i = torch.zeros(4, 3, dtype=torch.long)
    return (
        torch.sort(x)[0].stride(),
        x.argsort().stride(),
        x.topk(2)[0].stride(),
        x.sum(0).stride(),
        x.cumsum(0).stride(),
        x.softmax(0).stride(),
        x.tril().stride(),
        x.masked_fill(x > 0, 1).stride(),
        x.gather(0, i).stride(),
        x.flip(0).stride(),
        x.roll(1, 0).stride(),
        x.repeat(1, 1).stride(),
        x.index_select(0, i[:2, 0]).stride(),
        x[i[:2, 0]].stride(),
        x.scatter(0, i[:1], 1.0).stride(),
        torch.cat([x, x]).stride(),
        torch.stack([x, x]).stride(),
        x.clamp(0, 1).stride(),
        torch.nn.functional.gelu(x).stride(),
        torch.nn.functional.layer_norm(x, (3,)).stride(),
        torch.nn.functional.pad(x, (1, 1)).stride(),
        x.index_add(0, i[:1, 0], x[:1]).stride(),
        (x @ x.t()).stride(),
        torch.where(x > 0, x, 0).stride(),
        x.new_zeros(2, 3).stride(),
    )


@case
def incompatible_views():
    x = floats(3, 4).t()
    out = []
    for shape in ((12,), (2, 6), (4, 3), (2, 2, 3), (4, 3, 1)):
        try:
            out.append(x.view(shape).shape)
        except RuntimeError:
            out.append("RuntimeError")
    for wrong in ((5, -1), (-1, -1), (13,)):
        try:
            floats(3, 4).reshape(wrong)
            out.append("fine")
        except RuntimeError:
            out.append("RuntimeError")
    return out


@case
def expanded_tensors():
    x = floats(3, 1)
    y = x.expand(3, 4)
    z = x.expand(2, -1, 4)
    try:
        y.add_(1)
        refused = False
    except RuntimeError:
        refused = True
    try:
        y[0] = 1
        refused_item = False
    except RuntimeError:
        refused_item = True
    w = y.clone()
    w.add_(1)
    x.fill_(3)
    return y, z, y.stride(), z.stride(), refused, refused_item, w, x.expand_as(w)


@case
def write_through_views():
    x = torch.zeros(4, 6)
    x[1] = 1
    x[:, 2] = 2
    x[2:, 3:] += 10
    x.t()[0] = 7
    x.view(-1)[5] = 8
    x.view(2, 12)[1, ::3] = 9
    x.diagonal().fill_(5)
    row = x[3]
    row *= 2
    row.unsqueeze(0).add_(1)
    part = x.narrow(1, 1, 2).chunk(2, 0)[1]
    part.copy_(torch.tensor([[1.0, 2.0], [3.0, 4.0]]))
    x.permute(1, 0)[4].masked_fill_(torch.tensor([True, False, True, False]), -1)
    x[x == 7] = 0.5
    return x, row, part


@case
def augmented_assignment_is_in_place():
    a = floats(3)
    b = a
    a += 1
    a *= 2
    a -= 0.5
    a /= 4
    c = ints(3)
    d = c
    c //= 2
    c |= 8
    e = floats(2, 3)
    f = e[0]
    f += 10
    return a, b, c, d, e, f


@case
def aliases_of_aliases():
    x = torch.arange(12).reshape(3, 4)
    a, b = x[:, 1:3], x.t()[1:3]
    c = b.t()
    a[0, 0] = 100
    first = b.clone(), c.clone()
    c[2, 1] = 200
    y = x.reshape(4, 3)
    z = x.t().reshape(4, 3)
    x.zero_()
    return first, a, b, c, y, z


@case
def unfold_windows():
    x = torch.arange(10).float()
    u = x.unfold(0, 4, 2)
    v = floats(2, 3, 8).unfold(-1, 3, 1)
    x[4] = 100
    return u, u.stride(), v, v.shape, v.stride()


@case
def data_and_set():
    x, y = floats(3), floats(3, seed=2)
    z = x
    x.data = y
    y[0] = 42
    w = torch.nn.Parameter(floats(2, 2))
    w.data.fill_(3)
    w.data[0] = 1
    v = torch.nn.Parameter(floats(2))
    v.data.copy_(torch.tensor([5.0, 6.0]))
    return x, z, w, v, w.requires_grad


@case
def shapes():
    x = floats(2, 3, 4)
    return (
        x.shape,
        x.size(),
        x.size(1),
        x.size(-1),
        x.dim(),
        x.ndim,
        x.numel(),
        len(x),
        x.shape[1:],
        x.stride(),
        x.stride(0),
        x.storage_offset(),
        x[1].storage_offset(),
        x.nelement(),
        x.element_size(),
        x.shape.numel(),
        x.shape == (2, 3, 4),
        list(x.shape),
        tuple(x.size()),
        torch.broadcast_shapes((2, 1), (3,)),
        x.is_contiguous(),
        torch.Size([1, 2]),
    )


@case
def squeezes():
    x = floats(1, 3, 1, 2)
    return (
        x.squeeze().shape,
        x.squeeze(0).shape,
        x.squeeze(1).shape,
        x.squeeze(-2).shape,
        x.squeeze((0, 2)).shape,
        torch.squeeze(x).shape,
        x.unsqueeze(-1).shape,
        x.unsqueeze(0).stride(),
        x.unsqueeze(-1).stride(),
        x.unsqueeze(2).stride(),
        torch.tensor(1.0).unsqueeze(0).shape,
    )


@case
def expand_strides():
    x = floats(3, 4)
    return (
        x[:, None].expand(3, 2, 4).stride(),
        x.expand(2, 3, 4).stride(),
        x[:1].expand(5, 4).stride(),
        torch.tensor(2.0).expand(3).stride(),
        torch.broadcast_tensors(x[:1], x[:, :1])[0].shape,
    )


@case
def splits():
    x = floats(7, 4)
    return (
        x.split(3),
        x.split([2, 5]),
        torch.split(x, 2, dim=1),
        x.chunk(3),
        x.chunk(5),
        x.chunk(2, dim=1),
        torch.chunk(x, 3, dim=0),
        x.unbind(1),
        torch.tensor_split(x, 3),
        torch.tensor_split(x, (2, 4)),
        torch.split(x, [1, 3], dim=-1),
        x.split(10),
    )

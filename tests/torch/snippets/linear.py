import torch.nn.functional as F
from support import FLOATS, bools, case, floats, ints, over

import torch


@over(*FLOATS)
def products(dtype):
    a, b = floats(2, 3, 4, dtype=dtype), floats(2, 4, 5, seed=2, dtype=dtype)
    v = floats(4, seed=3, dtype=dtype)
    return (
        torch.matmul(a, b),
        a @ b,
        a.matmul(b),
        torch.bmm(a, b),
        a @ b[0],
        a[0] @ b,
        a @ v,
        v @ b,
        v @ v,
        torch.mm(a[0], b[0]),
        a[0].mm(b[0]),
        torch.mv(a[0], v),
        torch.dot(v, v),
        a.bmm(b),
        torch.outer(v, v),
        a.transpose(1, 2) @ a,
        floats(2, 1, 3, 4, dtype=dtype) @ floats(5, 4, 2, dtype=dtype),
    )


@over(*FLOATS)
def linears(dtype):
    x, w, b = (
        floats(2, 3, 4, dtype=dtype),
        floats(5, 4, seed=2, dtype=dtype),
        floats(5, seed=3, dtype=dtype),
    )
    return (
        F.linear(x, w),
        F.linear(x, w, b),
        F.linear(x[0, 0], w, b),
        torch.addmm(b, x[0], w.t()),
        torch.addmm(b, x[0], w.t(), beta=0.5, alpha=2),
        torch.baddbmm(floats(2, 3, 3, dtype=dtype), x, x.transpose(1, 2)),
        floats(2, 3, 3, dtype=dtype).baddbmm(
            x, x.transpose(1, 2), beta=0.5, alpha=0.25
        ),
        torch.baddbmm(
            floats(1, 3, 3, dtype=dtype), x, x.transpose(1, 2), beta=0, alpha=0.5
        ),
        b.addmm(x[0], w.t()),
    )


@case
def integer_products():
    a, b = ints(3, 4), ints(4, 2)
    return a @ b, torch.matmul(a, b[:, 0]), a[0] @ b, torch.bmm(a[None], b[None])


@case
def einsums():
    a, b = floats(2, 3, 4), floats(2, 4, 5, seed=2)
    return (
        torch.einsum("bij,bjk->bik", a, b),
        torch.einsum("bij->bji", a),
        torch.einsum("bij,bjk->ik", a, b),
        torch.einsum("bij->b", a),
        torch.einsum("i,j->ij", a[0, 0], b[0, 0]),
        torch.einsum("...ij,...jk->...ik", a, b),
        torch.einsum("bij, bjk -> bik", [a, b]),
        torch.einsum("ij,ij->", a[0], a[1]),
        torch.tensordot(a, b[0], dims=1),
        torch.einsum("bhd,hde->bhe", a, floats(3, 4, 5)),
        torch.einsum("bij,jkl->bkil", a, floats(4, 2, 3)),
        torch.einsum("bij,bkj->bik", a, floats(2, 5, 4)),
        torch.einsum("bihd,bjhd->bhij", floats(2, 3, 4, 5), floats(2, 6, 4, 5)),
        torch.einsum("bhij,bjhd->bihd", floats(2, 4, 3, 6), floats(2, 6, 4, 5)),
        torch.einsum("bij,bjk,kl->bil", a, b, floats(5, 2)),
        torch.einsum(
            "bhij,bhjd,hde->bie",
            *(floats(2, 2, 3, 3, seed=s) for s in (1, 2)),
            floats(2, 3, 4),
        ),
        torch.einsum("bi,i->bi", a[:, 0], a[0, 0]),
        torch.einsum("bi,j->jbi", a[:, 0], a[0, 0]),
        torch.einsum("bij,bij->bi", a, a),
        torch.einsum("bij,k->b", a, a[0, 0]),
        torch.einsum("ij,bj->bi", b[0], b[:, 0]),
        torch.einsum("bij,cij->bc", a, a),
        torch.einsum("bij,i->bj", a[:1], a[0, :, 0]),
        torch.tensordot(a, b, dims=([2], [1])),
    )


@over(*FLOATS)
def attention(dtype):
    q, k, v = (floats(2, 4, 3, 8, seed=s, dtype=dtype) for s in (1, 2, 3))
    mask = bools(2, 1, 3, 3, seed=4)
    kv, vv = k[:, :2], v[:, :2]
    return (
        F.scaled_dot_product_attention(q, k, v),
        F.scaled_dot_product_attention(q, k, v, is_causal=True),
        F.scaled_dot_product_attention(q, k, v, attn_mask=mask),
        F.scaled_dot_product_attention(q, k, v, scale=0.5),
        F.scaled_dot_product_attention(
            q, k, v, attn_mask=floats(1, 1, 3, 3, dtype=dtype), dropout_p=0.0
        ),
        F.scaled_dot_product_attention(q, kv, vv, enable_gqa=True),
    )


@over(torch.float32, torch.bfloat16)
def grouped(dtype):
    x, w = floats(6, 8, dtype=dtype), floats(3, 8, 16, seed=2, dtype=dtype)
    ends = torch.tensor([2, 2, 6], dtype=torch.int32)
    return torch._grouped_mm(x, w, offs=ends), F.grouped_mm(x, w, offs=ends)


@over(*FLOATS)
def norms(dtype):
    x, w, b = (
        floats(2, 3, 8, dtype=dtype),
        floats(8, seed=2, dtype=dtype),
        floats(8, seed=3, dtype=dtype),
    )
    return (
        F.layer_norm(x, (8,)),
        F.layer_norm(x, (8,), w, b),
        F.layer_norm(x, [8], w, None, 1e-6),
        F.rms_norm(x, (8,)),
        F.rms_norm(x, (8,), w, 1e-6),
        F.layer_norm(x, (3, 8)),
        F.group_norm(x.transpose(1, 2), 4, w, b),
        torch.layer_norm(x, (8,), w, b, 1e-5),
        torch.rms_norm(x, (8,), w, 1e-5),
    )


@case
def hand_norm():
    x, w = floats(2, 3, 8, dtype=torch.bfloat16), floats(8, dtype=torch.bfloat16)
    h = x.to(torch.float32)
    variance = h.pow(2).mean(-1, keepdim=True)
    h = h * torch.rsqrt(variance + 1e-6)
    return w * h.to(x.dtype), (1.0 + w.float()) * h, h.type_as(x)


@case
def batch_norm():
    x = floats(2, 3, 5)
    return (
        F.batch_norm(
            x, floats(3), floats(3, seed=2).abs(), floats(3, seed=3), floats(3, seed=4)
        ),
        F.batch_norm(x[..., 0], floats(3), floats(3, seed=2).abs(), eps=1e-3),
    )


@over(*FLOATS)
def convolutions(dtype):
    x, w, b = (
        floats(2, 4, 9, dtype=dtype),
        floats(6, 4, 3, seed=2, dtype=dtype),
        floats(6, seed=3, dtype=dtype),
    )
    d = floats(4, 1, 4, seed=4, dtype=dtype)
    return (
        F.conv1d(x, w),
        F.conv1d(x, w, b, padding=1),
        F.conv1d(x, w, b, stride=2, dilation=2),
        F.conv1d(x, d, groups=4, padding=3),
        F.conv1d(x, floats(6, 2, 3, dtype=dtype), groups=2),
        F.conv1d(x, w, padding="same"),
        F.conv1d(x[0], w),
        F.conv2d(
            floats(1, 2, 5, 6, dtype=dtype),
            floats(3, 2, 3, 2, seed=2, dtype=dtype),
            stride=(2, 1),
            padding=(1, 0),
        ),
    )


@over(*FLOATS)
def pads(dtype):
    x = floats(2, 3, 5, dtype=dtype)
    return (
        F.pad(x, (1, 2)),
        F.pad(x, (0, 0, 1, 0)),
        F.pad(x, (1, 1), value=-1.0),
        F.pad(x, (-1, -2)),
        F.pad(x, (2, -1)),
        F.pad(x, (2, 1), mode="reflect"),
        F.pad(x, (2, 1), mode="replicate"),
        F.pad(x, (2, 1), mode="circular"),
        F.pad(x, (0, 1, 0, 2, 1, 0), "constant", 3),
        F.pad(ints(3), (1, 0)),
        F.pad(bools(3), (1, 0), value=True),
        F.avg_pool1d(x, 2),
    )


@case
def triangular_solve():
    a = floats(3, 4, 4).tril() + 3 * torch.eye(4)
    b = floats(3, 4, 2, seed=2)
    u = a.transpose(1, 2)
    return (
        torch.linalg.solve_triangular(a, b, upper=False),
        torch.linalg.solve_triangular(u, b, upper=True),
        torch.linalg.solve_triangular(
            floats(4, 4).tril(-1), torch.eye(4), upper=False, unitriangular=True
        ),
        torch.linalg.solve_triangular(a, b.transpose(1, 2), upper=False, left=False),
        torch.linalg.inv(a),
    )


@case
def complex_rope():
    freqs = torch.outer(
        torch.arange(4).float(), 1.0 / (10000 ** (torch.arange(0, 6, 2).float() / 6))
    )
    cis = torch.polar(torch.ones_like(freqs), freqs)
    x = floats(2, 4, 6)
    c = torch.view_as_complex(x.float().reshape(2, 4, -1, 2))
    out = torch.view_as_real(c * cis[None]).flatten(2)
    return (
        cis,
        c,
        out,
        c.real,
        c.imag,
        c.abs(),
        c.conj().resolve_conj(),
        torch.view_as_real(cis * 2),
        out.type_as(x),
    )


@case
def sinusoids():
    inv = 1.0 / (
        10000.0 ** (torch.arange(0, 8, 2, dtype=torch.int64).to(dtype=torch.float) / 8)
    )
    positions = torch.tensor([[0, 1, 5, 1000]])
    angles = (
        inv[None, :, None].float().expand(1, -1, 1) @ positions[:, None, :].float()
    ).transpose(1, 2)
    emb = torch.cat((angles, angles), dim=-1)
    x = floats(1, 2, 4, 8)
    half = torch.cat((-x[..., 4:], x[..., :4]), dim=-1)
    cos, sin = emb.cos()[:, None], emb.sin()[:, None]
    return (
        inv,
        emb.cos(),
        emb.sin(),
        x * cos + half * sin,
        (x * cos + half * sin).to(torch.bfloat16),
    )


@case
def causal_masks():
    length, past = 4, 2
    i = torch.arange(length)[:, None] + past
    j = torch.arange(length + past)[None, :]
    allowed = (j <= i) & (j > i - 3)
    mask = torch.full((length, length + past), torch.finfo(torch.float32).min)
    mask = mask * (j > i)
    added = torch.where(allowed, 0.0, torch.finfo(torch.bfloat16).min)
    scores = floats(1, 2, 4, 6)
    return (
        allowed,
        mask,
        added,
        F.softmax(scores + mask[None, None], dim=-1),
        (~allowed).to(torch.bfloat16),
        torch.ones(4, 4).tril().bool()[None, None].expand(2, 1, 4, 4),
        scores.masked_fill(~allowed, float("-inf")).softmax(-1),
    )


@case
def frequency():
    x = floats(2, 8)
    return (
        torch.fft.rfft(x),
        torch.fft.irfft(torch.fft.rfft(x), n=8),
        torch.fft.fft(x, dim=0),
    )

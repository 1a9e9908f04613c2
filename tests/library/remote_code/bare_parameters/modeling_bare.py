"""Weights of three axes without layers around them, products by einsum."""

import torch.nn.functional as F

import torch
from torch import nn

from .configuration_bare import BareConfig
from .decoding import DecodingModel, build_mask, positions_of


def rope(x, pos, theta):
    d = x.shape[-1]
    inv = theta ** (-torch.arange(0, d, 2, dtype=torch.float32, device=x.device) / d)
    ang = pos[:, :, None].float() * inv
    sin, cos = ang.sin()[:, None], ang.cos()[:, None]
    a, b = x[..., : d // 2], x[..., d // 2 :]
    turned = torch.cat((a * cos - b * sin, b * cos + a * sin), dim=-1)
    return turned.type_as(x)


class Block(nn.Module):
    def __init__(self, c, i):
        super().__init__()
        self.i = i
        self.theta = c.theta
        d, h, k = c.n_embd, c.n_head, c.n_embd // c.n_head
        self.scale = k**-0.5
        self.ln = nn.LayerNorm(d, elementwise_affine=False)
        self.q = nn.Parameter(torch.randn(d, h, k) * 0.05)
        self.k = nn.Parameter(torch.randn(d, h, k) * 0.05)
        self.v = nn.Parameter(torch.randn(d, h, k) * 0.05)
        self.o = nn.Parameter(torch.randn(h, k, d) * 0.05)
        self.up = nn.Parameter(torch.randn(d, c.hidden) * 0.05)
        self.up_bias = nn.Parameter(torch.zeros(c.hidden))
        self.down = nn.Parameter(torch.randn(c.hidden, d) * 0.05)

    def forward(self, x, pos, mask, cache):
        y = self.ln(x)
        q = rope(torch.einsum("btd,dhk->bhtk", y, self.q), pos, self.theta)
        k = rope(torch.einsum("btd,dhk->bhtk", y, self.k), pos, self.theta)
        v = torch.einsum("btd,dhk->bhtk", y, self.v)
        if cache is not None:
            k, v = cache.update(k, v, self.i)
        w = (q * self.scale) @ k.mT
        w = w.masked_fill(~mask, float("-inf")).softmax(-1)
        a = torch.einsum("bhqk,bhkd,hde->bqe", w, v, self.o)
        m = F.relu(y @ self.up + self.up_bias).pow(2) @ self.down
        return x + a + m


class Body(nn.Module):
    def __init__(self, c):
        super().__init__()
        self.wte = nn.Embedding(c.vocab_size, c.n_embd)
        self.blocks = nn.ModuleList(Block(c, i) for i in range(c.n_layer))
        self.out_norm = nn.LayerNorm(c.n_embd)

    def forward(self, ids, attention_mask=None, position_ids=None, cache=None):
        b, t = ids.shape
        past = 0 if cache is None else cache.get_seq_length()
        pos = (
            positions_of(attention_mask, past, t, ids.device)
            if position_ids is None
            else position_ids
        )
        x = self.wte(ids)
        mask = build_mask(attention_mask, b, t, past, x.dtype, x.device)
        for blk in self.blocks:
            x = blk(x, pos, mask, cache)
        return self.out_norm(x)


class BareForCausalLM(DecodingModel):
    config_class = BareConfig
    body_class = Body

"""Parts that some fixtures have in common; tests put it beside them."""

import torch.nn.functional as F

import torch
from torch import nn

from .decoding import build_mask, positions_of


class RMSNorm(nn.Module):
    def __init__(self, n, eps=1e-6):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(n))
        self.eps = eps

    def forward(self, x):
        h = x.float()
        h = h * torch.rsqrt(h.pow(2).mean(-1, keepdim=True) + self.eps)
        return h.type_as(x) * self.weight


def rope(x, pos, theta=10000.0):
    d = x.shape[-1]
    inv = 1.0 / theta ** (torch.arange(0, d, 2, device=x.device).float() / d)
    ang = pos[:, :, None].float() * inv
    emb = torch.cat([ang, ang], -1).unsqueeze(1)
    half = d // 2
    turned = torch.cat([-x[..., half:], x[..., :half]], -1)
    return (x * emb.cos() + turned * emb.sin()).type_as(x)


class MLP(nn.Module):
    def __init__(self, c):
        super().__init__()
        self.up = nn.Linear(c.n_embd, 4 * c.n_embd, bias=False)
        self.down = nn.Linear(4 * c.n_embd, c.n_embd, bias=False)

    def forward(self, x):
        return self.down(F.relu(self.up(x)).square())


class Attention(nn.Module):
    def __init__(self, c, i):
        super().__init__()
        self.i, self.heads, self.hd = i, c.n_head, c.n_embd // c.n_head
        self.qkv = nn.Linear(c.n_embd, 3 * c.n_embd, bias=False)
        self.o = nn.Linear(c.n_embd, c.n_embd, bias=False)

    def forward(self, x, pos, mask, cache, slot=None):
        b, t, d = x.shape
        q, k, v = (
            y.view(b, t, self.heads, self.hd).transpose(1, 2)
            for y in self.qkv(x).chunk(3, -1)
        )
        q, k = rope(q, pos), rope(k, pos)
        if cache is not None:
            k, v = cache.update(k, v, self.i if slot is None else slot)
        y = F.scaled_dot_product_attention(q, k, v, attn_mask=mask)
        return self.o(y.transpose(1, 2).reshape(b, t, d))


class Block(nn.Module):
    """Keeps its keys under its own number, or in another slot of the cache."""

    attention_class = Attention

    def __init__(self, c, i):
        super().__init__()
        self.n1, self.n2 = RMSNorm(c.n_embd), RMSNorm(c.n_embd)
        self.attn = self.attention_class(c, i)
        self.mlp = MLP(c)

    def forward(self, x, *args):
        x = x + self.attn(self.n1(x), *args)
        return x + self.mlp(self.n2(x))


class Body(nn.Module):
    """Embeds and normalises; `run` takes the states through the blocks."""

    block_class = Block

    def __init__(self, c):
        super().__init__()
        self.c = c
        self.wte = nn.Embedding(c.vocab_size, c.n_embd)
        self.blocks = nn.ModuleList([self.block_class(c, n) for n in range(c.n_layer)])
        self.norm = RMSNorm(c.n_embd)

    def run(self, x, *args):
        for block in self.blocks:
            x = block(x, *args)
        return x

    def forward(self, ids, attention_mask=None, position_ids=None, cache=None):
        b, t = ids.shape
        past = cache.get_seq_length() if cache is not None else 0
        pos = position_ids
        if pos is None:
            pos = positions_of(attention_mask, past, t, ids.device)
        x = self.wte(ids)
        mask = build_mask(attention_mask, b, t, past, x.dtype, x.device)
        return self.norm(self.run(x, pos, mask, cache))

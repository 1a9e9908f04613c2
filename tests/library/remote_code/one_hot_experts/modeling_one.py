"""Every token goes through every expert, weighed by one-hot sums."""

import torch.nn.functional as F

import torch
from torch import nn

from .configuration_one import OneHotConfig
from .decoding import DecodingModel, build_mask, positions_of


def rope(x, pos, theta):
    d = x.shape[-1]
    inv = theta ** (-torch.arange(0, d, 2, dtype=torch.float32, device=x.device) / d)
    ang = pos[:, :, None].float() * inv
    emb = torch.cat([ang, ang], -1)[:, None]
    x1, x2 = x.chunk(2, -1)
    return (x * emb.cos() + torch.cat([-x2, x1], -1) * emb.sin()).to(x.dtype)


class MoE(nn.Module):
    def __init__(self, c):
        super().__init__()
        self.n, self.top = c.n_expert, c.top
        self.gate = nn.Linear(c.n_embd, c.n_expert, bias=False)
        self.w_in = nn.Parameter(torch.randn(c.n_expert, c.n_embd, 2 * c.hidden) * 0.05)
        self.w_out = nn.Parameter(torch.randn(c.n_expert, c.hidden, c.n_embd) * 0.05)
        self.shared = nn.Sequential(
            nn.Linear(c.n_embd, c.hidden), nn.SiLU(), nn.Linear(c.hidden, c.n_embd)
        )
        self.shared_gate = nn.Linear(c.n_embd, 1, bias=False)

    def forward(self, x):
        b, t, d = x.shape
        flat = x.reshape(-1, d)
        probs = self.gate(flat).softmax(-1)
        top, idx = probs.topk(self.top, -1)
        top = top / top.sum(-1, keepdim=True)
        combine = (F.one_hot(idx, self.n).to(x.dtype) * top[..., None]).sum(1)
        h = torch.einsum("nd,edf->enf", flat, self.w_in)
        g, u = h.chunk(2, -1)
        y = torch.einsum("enf,efd->end", F.silu(g) * u, self.w_out)
        out = torch.einsum("ne,end->nd", combine, y)
        out = out + torch.sigmoid(self.shared_gate(flat)) * self.shared(flat)
        return out.view(b, t, d)


class Layer(nn.Module):
    def __init__(self, c, i):
        super().__init__()
        self.i, self.c = i, c
        self.n1 = nn.RMSNorm(c.n_embd, eps=1e-6)
        self.n2 = nn.RMSNorm(c.n_embd, eps=1e-6)
        self.qkv = nn.Linear(c.n_embd, 3 * c.n_embd, bias=False)
        self.out = nn.Linear(c.n_embd, c.n_embd, bias=False)
        self.moe = MoE(c)

    def forward(self, x, pos, mask, cache):
        b, t, d = x.shape
        q, k, v = (
            self.qkv(self.n1(x))
            .view(b, t, 3, self.c.n_head, -1)
            .permute(2, 0, 3, 1, 4)
            .unbind(0)
        )
        q, k = rope(q, pos, self.c.theta), rope(k, pos, self.c.theta)
        if cache is not None:
            k, v = cache.update(k, v, self.i)
        a = F.scaled_dot_product_attention(q, k, v, attn_mask=mask)
        x = x + self.out(a.transpose(1, 2).flatten(2))
        return x + self.moe(self.n2(x))


class Body(nn.Module):
    def __init__(self, c):
        super().__init__()
        self.wte = nn.Embedding(c.vocab_size, c.n_embd)
        self.layers = nn.ModuleList([Layer(c, i) for i in range(c.n_layer)])
        self.norm = nn.RMSNorm(c.n_embd, eps=1e-6)

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
        for layer in self.layers:
            x = layer(x, pos, mask, cache)
        return self.norm(x)


class OneHotForCausalLM(DecodingModel):
    config_class = OneHotConfig
    body_class = Body

"""Heads and widths from lists of the config, one number for each layer."""

import torch.nn.functional as F

import torch
from torch import nn

from .configuration_uneven import UnevenConfig
from .decoding import DecodingModel, build_mask, positions_of


class Norm(nn.Module):
    def __init__(self, n, eps=1e-6):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(n))
        self.eps = eps

    def _norm(self, x):
        return x * torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + self.eps)

    def forward(self, x):
        return self._norm(x.float()).type_as(x) * self.weight


def rope(x, pos, theta):
    d = x.shape[-1]
    inv = 1.0 / theta ** (
        torch.arange(0, d, 2, dtype=torch.int64, device=x.device).float() / d
    )
    ang = pos[:, :, None].float() * inv
    emb = torch.cat([ang, ang], -1).unsqueeze(1)
    half = d // 2
    turned = torch.cat([-x[..., half:], x[..., :half]], -1)
    return (x * emb.cos() + turned * emb.sin()).type_as(x)


class Attn(nn.Module):
    def __init__(self, c, i):
        super().__init__()
        self.i, self.hd, self.theta = i, c.head_dim, c.theta
        self.nq, self.nk = c.heads[i], c.kv_heads[i]
        self.qkv_proj = nn.Linear(
            c.n_embd, (self.nq + 2 * self.nk) * self.hd, bias=False
        )
        self.q_norm = Norm(self.hd)
        self.k_norm = Norm(self.hd)
        self.out_proj = nn.Linear(self.nq * self.hd, c.n_embd, bias=False)

    def forward(self, x, pos, mask, cache):
        b, t, _ = x.shape
        qkv = (
            self.qkv_proj(x)
            .reshape(b, t, self.nq + 2 * self.nk, self.hd)
            .transpose(1, 2)
        )
        q, k, v = qkv.split([self.nq, self.nk, self.nk], dim=1)
        q, k = self.q_norm(q), self.k_norm(k)
        q, k = rope(q, pos, self.theta), rope(k, pos, self.theta)
        if cache is not None:
            k, v = cache.update(k, v, self.i)
        k = k.repeat_interleave(self.nq // self.nk, dim=1)
        v = v.repeat_interleave(self.nq // self.nk, dim=1)
        y = F.scaled_dot_product_attention(q, k, v, attn_mask=mask)
        return self.out_proj(y.transpose(1, 2).reshape(b, t, self.nq * self.hd))


class Layer(nn.Module):
    def __init__(self, c, i):
        super().__init__()
        self.attn_norm, self.ffn_norm = Norm(c.n_embd), Norm(c.n_embd)
        self.attn = Attn(c, i)
        self.proj_1 = nn.Linear(c.n_embd, 2 * c.ffn[i], bias=False)
        self.proj_2 = nn.Linear(c.ffn[i], c.n_embd, bias=False)

    def forward(self, x, pos, mask, cache):
        x = x + self.attn(self.attn_norm(x), pos, mask, cache)
        a, b = torch.chunk(self.proj_1(self.ffn_norm(x)), 2, dim=-1)
        return x + self.proj_2(F.silu(a) * b)


class Body(nn.Module):
    def __init__(self, c):
        super().__init__()
        self.wte = nn.Embedding(c.vocab_size, c.n_embd)
        self.layers = nn.ModuleList([Layer(c, i) for i in range(c.num_hidden_layers)])
        self.norm = Norm(c.n_embd)

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


class UnevenForCausalLM(DecodingModel):
    config_class = UnevenConfig
    body_class = Body

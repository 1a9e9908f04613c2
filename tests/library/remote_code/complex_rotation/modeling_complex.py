"""Rotation as complex numbers, scores by einsum with heads last."""

import math

import torch
from torch import nn

from .configuration_complex import ComplexConfig
from .decoding import DecodingModel, build_mask, positions_of


class RMS(nn.Module):
    def __init__(self, dim, eps):
        super().__init__()
        self.eps = eps
        self.g = nn.Parameter(torch.ones(dim))

    def forward(self, x):
        return (x * torch.rsqrt((x * x).mean(-1, keepdim=True) + self.eps)) * self.g


def freqs_cis(dim, end, theta):
    freqs = 1.0 / (theta ** (torch.arange(0, dim, 2)[: dim // 2].float() / dim))
    t = torch.arange(end).float()
    f = torch.outer(t, freqs)
    return torch.polar(torch.ones_like(f), f)


def rotate(x, f):
    xc = torch.view_as_complex(x.float().reshape(*x.shape[:-1], -1, 2))
    return torch.view_as_real(xc * f[:, :, None, :]).flatten(3).type_as(x)


class Attn(nn.Module):
    def __init__(self, c, i):
        super().__init__()
        self.i, self.nh, self.nk = i, c.n_head, c.n_kv
        self.hd = c.n_embd // c.n_head
        self.wq = nn.Linear(c.n_embd, self.nh * self.hd, bias=False)
        self.wk = nn.Linear(c.n_embd, self.nk * self.hd, bias=False)
        self.wv = nn.Linear(c.n_embd, self.nk * self.hd, bias=False)
        self.wo = nn.Linear(self.nh * self.hd, c.n_embd, bias=False)

    def forward(self, x, f, mask, cache):
        b, t, _ = x.shape
        q = rotate(self.wq(x).view(b, t, self.nh, self.hd), f)
        k = rotate(self.wk(x).view(b, t, self.nk, self.hd), f)
        v = self.wv(x).view(b, t, self.nk, self.hd)
        if cache is not None:
            k, v = cache.update(k.transpose(1, 2), v.transpose(1, 2), self.i)
            k, v = k.transpose(1, 2), v.transpose(1, 2)
        s = k.shape[1]
        n = self.nh // self.nk
        k = (
            k[:, :, :, None, :]
            .expand(b, s, self.nk, n, self.hd)
            .reshape(b, s, self.nh, self.hd)
        )
        v = (
            v[:, :, :, None, :]
            .expand(b, s, self.nk, n, self.hd)
            .reshape(b, s, self.nh, self.hd)
        )
        scores = torch.einsum("bqhd,bkhd->bhqk", q, k) / math.sqrt(self.hd)
        scores = torch.where(mask, scores, torch.finfo(scores.dtype).min)
        p = torch.softmax(scores.float(), dim=-1).to(x.dtype)
        return self.wo(torch.einsum("bhqk,bkhd->bqhd", p, v).reshape(b, t, -1))


class FF(nn.Module):
    def __init__(self, c):
        super().__init__()
        self.w1 = nn.Linear(c.n_embd, c.hidden, bias=False)
        self.w2 = nn.Linear(c.hidden, c.n_embd, bias=False)
        self.w3 = nn.Linear(c.n_embd, c.hidden, bias=False)

    def forward(self, x):
        g = self.w1(x)
        return self.w2(g * torch.sigmoid(g) * self.w3(x))


class Layer(nn.Module):
    def __init__(self, c, i):
        super().__init__()
        self.attention = Attn(c, i)
        self.feed_forward = FF(c)
        self.attention_norm = RMS(c.n_embd, c.eps)
        self.ffn_norm = RMS(c.n_embd, c.eps)

    def forward(self, x, f, mask, cache):
        h = x + self.attention(self.attention_norm(x), f, mask, cache)
        return h + self.feed_forward(self.ffn_norm(h))


class Body(nn.Module):
    def __init__(self, c):
        super().__init__()
        self.c = c
        self.wte = nn.Embedding(c.vocab_size, c.n_embd)
        self.layers = nn.ModuleList()
        for i in range(c.n_layer):
            self.layers.append(Layer(c, i))
        self.norm = RMS(c.n_embd, c.eps)

    def forward(self, ids, attention_mask=None, position_ids=None, cache=None):
        b, t = ids.shape
        past = cache.get_seq_length() if cache is not None else 0
        pos = (
            positions_of(attention_mask, past, t, ids.device)
            if position_ids is None
            else position_ids
        )
        f = freqs_cis(self.c.n_embd // self.c.n_head, self.c.max_len, self.c.theta).to(
            ids.device
        )[pos]
        x = self.wte(ids)
        mask = build_mask(attention_mask, b, t, past, x.dtype, x.device)
        for layer in self.layers:
            x = layer(x, f, mask, cache)
        return self.norm(x)


class ComplexForCausalLM(DecodingModel):
    config_class = ComplexConfig
    body_class = Body

"""Values of the first layer are mixed into those of all others."""

import torch.nn.functional as F

import torch
from torch import nn

from .configuration_values import ValueResidualConfig
from .decoding import DecodingModel
from .pieces import MLP, Body, RMSNorm, rope


class MixedAttention(nn.Module):
    def __init__(self, c, i):
        super().__init__()
        self.i, self.heads, self.hd = i, c.n_head, c.n_embd // c.n_head
        self.q = nn.Linear(c.n_embd, c.n_embd, bias=False)
        self.k = nn.Linear(c.n_embd, c.n_embd, bias=False)
        self.v = nn.Linear(c.n_embd, c.n_embd, bias=False)
        self.o = nn.Linear(c.n_embd, c.n_embd, bias=False)
        self.lamb = nn.Parameter(torch.tensor(0.5))

    def forward(self, x, v1, pos, mask, cache):
        b, t, d = x.shape
        q = self.q(x).view(b, t, self.heads, self.hd)
        k = self.k(x).view(b, t, self.heads, self.hd)
        v = self.v(x).view(b, t, self.heads, self.hd)
        if v1 is None:
            v1 = v
        v = (1 - self.lamb) * v + self.lamb * v1.view_as(v)
        q, k, v = q.transpose(1, 2), k.transpose(1, 2), v.transpose(1, 2)
        q, k = rope(q, pos), rope(k, pos)
        if cache is not None:
            k, v = cache.update(k, v, self.i)
        y = F.scaled_dot_product_attention(q, k, v, attn_mask=mask)
        return self.o(y.transpose(1, 2).reshape(b, t, d)), v1


class MixedBlock(nn.Module):
    def __init__(self, c, i):
        super().__init__()
        self.n1, self.n2 = RMSNorm(c.n_embd), RMSNorm(c.n_embd)
        self.attn = MixedAttention(c, i)
        self.mlp = MLP(c)
        self.lambdas = nn.Parameter(torch.tensor([1.0, 0.0]))

    def forward(self, x, v1, x0, *args):
        x = self.lambdas[0] * x + self.lambdas[1] * x0
        y, v1 = self.attn(self.n1(x), v1, *args)
        x = x + y
        return x + self.mlp(self.n2(x)), v1


class MixedBody(Body):
    block_class = MixedBlock

    def run(self, x, *args):
        x0, v1 = x, None
        for block in self.blocks:
            x, v1 = block(x, v1, x0, *args)
        return x


class ValueResidualForCausalLM(DecodingModel):
    config_class = ValueResidualConfig
    body_class = MixedBody

"""Two softmaxes of keys in pairs, one less a part of the other; half as many values."""

import math

import torch.nn.functional as F

import torch
from torch import nn

from .configuration_differential import DifferentialConfig
from .decoding import DecodingModel
from .pieces import Block, Body, RMSNorm, rope


class DifferentialAttention(nn.Module):
    def __init__(self, c, i):
        super().__init__()
        self.i, self.heads, self.hd = i, c.n_head, c.n_embd // c.n_head // 2
        self.q_proj = nn.Linear(c.n_embd, c.n_embd, bias=False)
        self.k_proj = nn.Linear(c.n_embd, c.n_embd, bias=False)
        self.v_proj = nn.Linear(c.n_embd, c.n_embd, bias=False)
        self.out_proj = nn.Linear(c.n_embd, c.n_embd, bias=False)
        self.lambda_init = 0.8 - 0.6 * math.exp(-0.3 * i)
        self.lambda_q1 = nn.Parameter(torch.zeros(self.hd).normal_(mean=0, std=0.1))
        self.lambda_k1 = nn.Parameter(torch.zeros(self.hd).normal_(mean=0, std=0.1))
        self.lambda_q2 = nn.Parameter(torch.zeros(self.hd).normal_(mean=0, std=0.1))
        self.lambda_k2 = nn.Parameter(torch.zeros(self.hd).normal_(mean=0, std=0.1))
        self.subln = RMSNorm(2 * self.hd, eps=1e-5)

    def forward(self, x, pos, mask, cache):
        b, t, _ = x.shape
        q = self.q_proj(x).view(b, t, 2 * self.heads, self.hd).transpose(1, 2)
        k = self.k_proj(x).view(b, t, 2 * self.heads, self.hd).transpose(1, 2)
        v = self.v_proj(x).view(b, t, self.heads, 2 * self.hd).transpose(1, 2)
        q, k = rope(q, pos), rope(k, pos)
        if cache is not None:
            k, v = cache.update(k, v, self.i)
        q = q * self.hd**-0.5
        s = k.shape[2]
        w = torch.matmul(q, k.transpose(-1, -2))
        w = w.masked_fill(~mask, float("-inf"))
        w = F.softmax(w, dim=-1, dtype=torch.float32).type_as(w)
        lambda_1 = torch.exp(torch.sum(self.lambda_q1 * self.lambda_k1, -1).float())
        lambda_2 = torch.exp(torch.sum(self.lambda_q2 * self.lambda_k2, -1).float())
        part = lambda_1.type_as(q) - lambda_2.type_as(q) + self.lambda_init
        w = w.view(b, self.heads, 2, t, s)
        w = w[:, :, 0] - part * w[:, :, 1]
        y = self.subln(torch.matmul(w, v)) * (1 - self.lambda_init)
        y = y.transpose(1, 2).reshape(b, t, 2 * self.heads * self.hd)
        return self.out_proj(y)


class DifferentialBlock(Block):
    attention_class = DifferentialAttention


class DifferentialBody(Body):
    block_class = DifferentialBlock


class DifferentialForCausalLM(DecodingModel):
    config_class = DifferentialConfig
    body_class = DifferentialBody

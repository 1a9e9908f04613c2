"""A learned bias for each distance, and a learned fall with its logarithm."""

import math

import torch
from torch import nn

from .configuration_table import DistanceTableConfig
from .decoding import DecodingModel
from .pieces import Block, Body


class Tabled(nn.Module):
    def __init__(self, c, i):
        super().__init__()
        self.i, self.heads, self.hd = i, c.n_head, c.n_embd // c.n_head
        self.farthest = c.farthest
        self.qkv = nn.Linear(c.n_embd, 3 * c.n_embd, bias=False)
        self.o = nn.Linear(c.n_embd, c.n_embd, bias=False)
        self.near = nn.Embedding(c.farthest + 1, c.n_head)
        self.fall = nn.Parameter(torch.rand(c.n_head, 1, 1))

    def forward(self, x, pos, mask, cache):
        b, t, d = x.shape
        q, k, v = (
            y.view(b, t, self.heads, self.hd).transpose(1, 2)
            for y in self.qkv(x).chunk(3, -1)
        )
        if cache is not None:
            k, v = cache.update(k, v, self.i)
        s = k.shape[2]
        mine = torch.arange(s - t, s, device=x.device)
        back = mine[:, None] - torch.arange(s, device=x.device)[None, :]
        scores = q @ k.mT / math.sqrt(self.hd)
        near = self.near(back.clamp(0, self.farthest)).permute(2, 0, 1)
        fall = self.fall * torch.log1p(back.clamp(min=0).to(x.dtype))
        scores = scores + near - fall
        scores = scores.masked_fill(~mask, torch.finfo(scores.dtype).min)
        y = scores.softmax(-1) @ v
        return self.o(y.transpose(1, 2).reshape(b, t, d))


class TabledBlock(Block):
    attention_class = Tabled


class TableBody(Body):
    block_class = TabledBlock


class DistanceTableForCausalLM(DecodingModel):
    config_class = DistanceTableConfig
    body_class = TableBody

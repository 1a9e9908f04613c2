"""Experts run over the tokens that a mask picks, which stay (B, L)."""

import torch.nn.functional as F

import torch
from torch import nn

from .configuration_masked import MaskedConfig
from .decoding import DecodingModel
from .pieces import Block, Body


class Expert(nn.Module):
    def __init__(self, c):
        super().__init__()
        self.gate = nn.Linear(c.n_embd, c.hidden, bias=False)
        self.up = nn.Linear(c.n_embd, c.hidden, bias=False)
        self.down = nn.Linear(c.hidden, c.n_embd, bias=False)

    def forward(self, x):
        return self.down(F.silu(self.gate(x)) * self.up(x))


class MaskedExperts(nn.Module):
    def __init__(self, c):
        super().__init__()
        self.top = c.top
        self.router = nn.Linear(c.n_embd, c.n_expert, bias=False)
        self.experts = nn.ModuleList([Expert(c) for _ in range(c.n_expert)])

    def forward(self, x):
        logits = self.router(x)
        best, chosen = logits.topk(self.top, dim=-1)
        others = torch.full_like(logits, float("-inf"))
        gates = F.softmax(others.scatter(-1, chosen, best), dim=-1)
        out = torch.zeros_like(x)
        for i, expert in enumerate(self.experts):
            mask = (chosen == i).any(dim=-1)
            if mask.any():
                out[mask] += expert(x[mask]) * gates[mask][:, i, None]
        return out


class MaskedBlock(Block):
    def __init__(self, c, i):
        super().__init__(c, i)
        self.mlp = MaskedExperts(c)


class MaskedBody(Body):
    block_class = MaskedBlock


class MaskedForCausalLM(DecodingModel):
    config_class = MaskedConfig
    body_class = MaskedBody

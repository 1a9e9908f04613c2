"""A scan over the tokens in most layers, attention in every so many-th: by its number,
under a mask of the source's own. A cache of its own keeps the states."""

from transformers.cache_utils import DynamicCache

import torch
from torch import nn

from .configuration_scanned import ScannedConfig
from .decoding import DecodingModel
from .pieces import Block, Body


class StatesCache(DynamicCache):
    def __init__(self):
        super().__init__()
        self.states = {}


class Scan(nn.Module):
    def __init__(self, c, i):
        super().__init__()
        self.i = i
        self.keep = nn.Linear(c.n_embd, c.n_embd)
        self.into = nn.Linear(c.n_embd, c.n_embd, bias=False)
        self.out = nn.Linear(c.n_embd, c.n_embd, bias=False)

    def forward(self, x, cache):
        keep = torch.sigmoid(self.keep(x))
        new = (1 - keep) * self.into(x)
        state = None if cache is None else cache.states.get(self.i)
        if state is None:
            state = torch.zeros_like(x[:, 0])
        states = []
        for t in range(x.shape[1]):
            state = keep[:, t] * state + new[:, t]
            states.append(state)
        if cache is not None:
            cache.states[self.i] = state
        return self.out(torch.stack(states, dim=1))


class ScannedBlock(Block):
    def __init__(self, c, i):
        super().__init__(c, i)
        self.attends = i % c.attend_every == 0
        if not self.attends:
            self.attn = Scan(c, i)

    def forward(self, x, pos, mask, cache):
        h = self.n1(x)
        if self.attends:
            x = x + self.attn(h, pos, mask, cache)
        else:
            x = x + self.attn(h, cache)
        return x + self.mlp(self.n2(x))


class ScannedBody(Body):
    block_class = ScannedBlock


class ScannedForCausalLM(DecodingModel):
    config_class = ScannedConfig
    body_class = ScannedBody
    cache_class = StatesCache

"""Some layers run once, a core several times with what went into it, some more once."""

import torch
from torch import nn

from .configuration_depth import RecurrentDepthConfig
from .decoding import DecodingModel
from .pieces import Block, Body


class DeepBody(Body):
    def __init__(self, c):
        super().__init__(c)
        self.prelude = nn.ModuleList([Block(c, n) for n in range(c.n_pre)])
        self.coda = nn.ModuleList([Block(c, n) for n in range(c.n_post)])
        self.adapter = nn.Linear(2 * c.n_embd, c.n_embd, bias=False)

    def run(self, x, *args):
        slot = 0
        for block in self.prelude:
            x = block(x, *args, slot)
            slot += 1
        e = x
        for _ in range(self.c.n_loop):
            x = self.adapter(torch.cat([x, e], dim=-1))
            for block in self.blocks:
                x = block(x, *args, slot)
                slot += 1
        for block in self.coda:
            x = block(x, *args, slot)
            slot += 1
        return x


class RecurrentDepthForCausalLM(DecodingModel):
    config_class = RecurrentDepthConfig
    body_class = DeepBody

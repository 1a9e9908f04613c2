"""One block, run as often as there are layers; tokens become narrow vectors first."""

from torch import nn

from .configuration_once import OneBlockConfig
from .decoding import DecodingModel
from .pieces import Block, Body


class OnceBody(Body):
    def __init__(self, c):
        super().__init__(c)
        del self.blocks
        self.wte = nn.Embedding(c.vocab_size, c.n_inner)
        self.widen = nn.Linear(c.n_inner, c.n_embd)
        self.block = Block(c, 0)

    def run(self, x, *args):
        x = self.widen(x)
        for turn in range(self.c.n_layer):
            x = self.block(x, *args, turn)
        return x


class OneBlockForCausalLM(DecodingModel):
    config_class = OneBlockConfig
    body_class = OnceBody

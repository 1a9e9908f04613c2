"""The second half of the layers is given what the first answered, the last first."""

import torch
from torch import nn

from .configuration_skips import SkipsConfig
from .decoding import DecodingModel
from .pieces import Body


class SkippingBody(Body):
    def __init__(self, c):
        super().__init__(c)
        self.half = c.n_layer // 2
        self.skip_weights = nn.Parameter(torch.ones(self.half))

    def run(self, x, *args):
        skips = []
        for n in range(self.half):
            x = self.blocks[n](x, *args)
            skips.append(x)
        for n in range(self.half):
            x = x + self.skip_weights[n] * skips.pop()
            x = self.blocks[self.half + n](x, *args)
        return x


class SkipsForCausalLM(DecodingModel):
    config_class = SkipsConfig
    body_class = SkippingBody

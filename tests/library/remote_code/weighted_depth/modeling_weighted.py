"""Each layer is given a weighted sum of all states so far."""

import torch
from torch import nn

from .configuration_weighted import WeightedDepthConfig
from .decoding import DecodingModel
from .pieces import Body


class WeightedBody(Body):
    def __init__(self, c):
        super().__init__(c)
        self.dwa = nn.ParameterList(
            [nn.Parameter(torch.randn(n + 2)) for n in range(c.n_layer)]
        )

    def run(self, x, *args):
        seen = [x]
        for n, block in enumerate(self.blocks):
            seen.append(block(x, *args))
            x = (self.dwa[n].view(-1, 1, 1, 1) * torch.stack(seen, 0)).sum(0)
        return x


class WeightedDepthForCausalLM(DecodingModel):
    config_class = WeightedDepthConfig
    body_class = WeightedBody

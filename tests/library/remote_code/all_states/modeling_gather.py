"""What all blocks answer is read at the end, side by side."""

import torch
from torch import nn

from .configuration_gather import AllStatesConfig
from .decoding import DecodingModel
from .pieces import Body


class GatherBody(Body):
    def __init__(self, c):
        super().__init__(c)
        self.weights = nn.Parameter(torch.rand(c.n_layer + 1))

    def run(self, x, *args):
        seen = [x]
        for block in self.blocks:
            x = block(x, *args)
            seen.append(x)
        return (torch.stack(seen, -1) * self.weights.softmax(0)).sum(-1)


class AllStatesForCausalLM(DecodingModel):
    config_class = AllStatesConfig
    body_class = GatherBody

"""A mask of the model's own, with a window longer than what a test reaches."""

import torch

from .configuration_far import FarWindowConfig
from .decoding import DecodingModel
from .pieces import Body


class FarBody(Body):
    def run(self, x, pos, mask, cache):
        queries, keys = mask.shape[-2:]
        i = torch.arange(keys - queries, keys, device=x.device)[:, None]
        j = torch.arange(keys, device=x.device)[None]
        return super().run(x, pos, mask & (i - j < self.c.reach), cache)


class FarWindowForCausalLM(DecodingModel):
    config_class = FarWindowConfig
    body_class = FarBody

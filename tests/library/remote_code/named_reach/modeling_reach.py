"""A word of the config says for each block how far it sees."""

import torch

from .configuration_reach import NamedReachConfig
from .decoding import DecodingModel
from .pieces import Body


class ReachBody(Body):
    def run(self, x, pos, mask, cache):
        past = mask.shape[-1] - x.shape[1]
        places = torch.arange(mask.shape[-1], device=x.device)
        near = places[None, :] > places[past:, None] - self.c.reach
        masks = {"long": mask, "short": mask & near}
        for view, block in zip(self.c.views, self.blocks):
            x = block(x, pos, masks[view], cache)
        return x


class NamedReachForCausalLM(DecodingModel):
    config_class = NamedReachConfig
    body_class = ReachBody

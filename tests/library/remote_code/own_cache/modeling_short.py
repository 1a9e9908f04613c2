"""Short convolutions keep their inputs in a cache class of the model's own, which
takes the place of the one that is given; blocks that look ahead are for training."""

import torch.nn.functional as F
from transformers.cache_utils import DynamicCache

import torch
from torch import nn

from .configuration_short import ShortConfig
from .decoding import DecodingModel
from .pieces import Block, Body


class InputsCache(DynamicCache):
    def __init__(self):
        super().__init__()
        self.inputs = {}


class ShortConvolution(nn.Module):
    def __init__(self, width, reach, place):
        super().__init__()
        self.reach, self.place = reach, place
        self.conv = nn.Conv1d(width, width, reach, groups=width, bias=False)

    def forward(self, h, cache):
        x = h.transpose(1, 2)
        before = None if cache is None else cache.inputs.get(self.place)
        if before is None:
            x = F.pad(x, (self.reach - 1, 0))
        else:
            x = torch.cat([before, x], dim=-1)
        if cache is not None:
            cache.inputs[self.place] = x[..., 1 - self.reach :]
        return h + self.conv(x).transpose(1, 2)


class ShortBlock(Block):
    def __init__(self, c, i):
        super().__init__(c, i)
        self.before = ShortConvolution(c.n_embd, c.reach, (i, "before"))
        self.between = ShortConvolution(c.n_embd, c.reach, (i, "between"))

    def forward(self, x, pos, mask, cache):
        x = x + self.attn(self.before(self.n1(x), cache), pos, mask, cache)
        return x + self.mlp(self.between(self.n2(x), cache))


class ShortBody(Body):
    block_class = ShortBlock


class ShortForCausalLM(DecodingModel):
    config_class = ShortConfig
    body_class = ShortBody
    cache_class = InputsCache

    def __init__(self, config):
        super().__init__(config)
        self.ahead = nn.ModuleList([Block(config, i) for i in range(config.n_ahead)])
        self.join = nn.Linear(2 * config.n_embd, config.n_embd)

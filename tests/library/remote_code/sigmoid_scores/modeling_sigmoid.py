"""Every key is weighed by itself, hidden ones by 0; checkpoints hold frequencies."""

import math

import torch
from torch import nn

from .configuration_sigmoid import SigmoidScoresConfig
from .decoding import DecodingModel
from .pieces import Block, Body


class Turn(nn.Module):
    def __init__(self, width, base=10000.0):
        super().__init__()
        powers = torch.arange(0, width, 2).float() / width
        self.register_buffer("inv_freq", 1.0 / base**powers)

    def forward(self, x, pos):
        angles = pos[:, None, :, None].float() * self.inv_freq
        cos, sin = angles.cos(), angles.sin()
        a, b = x.float().chunk(2, -1)
        return torch.cat((a * cos - b * sin, b * cos + a * sin), -1).type_as(x)


class Weighing(nn.Module):
    def __init__(self, c, i):
        super().__init__()
        self.i, self.heads, self.hd = i, c.n_head, c.n_embd // c.n_head
        self.qkv = nn.Linear(c.n_embd, 3 * c.n_embd, bias=False)
        self.o = nn.Linear(c.n_embd, c.n_embd, bias=False)
        self.turn = Turn(self.hd)
        self.slopes = [2 ** (-8.0 * (n + 1) / c.n_head) for n in range(c.n_head)]

    def forward(self, x, pos, mask, cache):
        b, t, d = x.shape
        q, k, v = (
            y.view(b, t, self.heads, self.hd).transpose(1, 2)
            for y in self.qkv(x).chunk(3, -1)
        )
        q, k = self.turn(q, pos), self.turn(k, pos)
        if cache is not None:
            k, v = cache.update(k, v, self.i)
        s = k.shape[2]
        mine = torch.arange(s - t, s, device=x.device)
        back = (mine[:, None] - torch.arange(s, device=x.device)).abs().to(x.dtype)
        slopes = torch.tensor(self.slopes, device=x.device, dtype=x.dtype)
        scores = q @ k.mT / math.sqrt(self.hd) - back * slopes[:, None, None]
        y = (torch.sigmoid(scores - 1.5) * mask) @ v
        return self.o(y.transpose(1, 2).reshape(b, t, d))


class WeighingBlock(Block):
    attention_class = Weighing


class WeighingBody(Body):
    block_class = WeighingBlock


class SigmoidScoresForCausalLM(DecodingModel):
    config_class = SigmoidScoresConfig
    body_class = WeighingBody

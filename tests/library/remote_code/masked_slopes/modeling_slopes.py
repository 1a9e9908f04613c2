"""One tensor that falls with the distance and hides later keys and padding."""

import math

import torch
from torch import nn

from .configuration_slopes import MaskedSlopesConfig
from .decoding import DecodingModel
from .pieces import Block, Body


def slopes_of(n):
    start = 2 ** (-(2 ** -(math.log2(n) - 3)))
    return torch.tensor([start * start**i for i in range(n)])


def falling(heads, total, device):
    places = torch.arange(total, device=device)
    distance = (places[:, None] - places[None, :]).abs()
    future = torch.full((total, total), float("-inf"), device=device).triu(1)
    return future - slopes_of(heads).to(device)[:, None, None] * distance


class SlopedAttention(nn.Module):
    def __init__(self, c, i):
        super().__init__()
        self.i, self.heads, self.hd = i, c.n_head, c.n_embd // c.n_head
        self.W_pack = nn.Linear(c.n_embd, 3 * c.n_embd, bias=False)
        self.o_proj = nn.Linear(c.n_embd, c.n_embd, bias=False)

    def forward(self, x, bias, cache):
        b, t, d = x.shape
        q, k, v = (
            y.view(b, t, self.heads, self.hd).transpose(1, 2)
            for y in self.W_pack(x).chunk(3, -1)
        )
        if cache is not None:
            k, v = cache.update(k, v, self.i)
        w = torch.matmul(q, k.transpose(2, 3)) / math.sqrt(self.hd) + bias
        w = torch.max(w, torch.tensor(torch.finfo(w.dtype).min))
        y = torch.softmax(w, -1, dtype=torch.float32).to(q.dtype) @ v
        return self.o_proj(y.transpose(1, 2).reshape(b, t, d))


class SlopedBlock(Block):
    attention_class = SlopedAttention


class SlopedBody(Body):
    block_class = SlopedBlock

    def forward(self, ids, attention_mask=None, position_ids=None, cache=None):
        t = ids.shape[1]
        total = t + (cache.get_seq_length() if cache is not None else 0)
        x = self.wte(ids)
        bias = falling(self.c.n_head, total, x.device)[None, :, -t:].to(x.dtype)
        if attention_mask is not None:
            hidden = attention_mask[:, None, None, :total] == 0
            bias = bias.masked_fill(hidden, torch.finfo(x.dtype).min)
        return self.norm(self.run(x, bias, cache))


class MaskedSlopesForCausalLM(DecodingModel):
    config_class = MaskedSlopesConfig
    body_class = SlopedBody

"""Attention that fades with the distance, which every module measures by itself."""

import torch
from torch import nn

from .configuration_distance import DistanceConfig
from .decoding import DecodingModel, build_mask


class Fading(nn.Module):
    def __init__(self, c, number):
        super().__init__()
        self.number, self.heads = number, c.n_head
        self.qkv = nn.Linear(c.n_embd, 3 * c.n_embd, bias=False)
        self.out = nn.Linear(c.n_embd, c.n_embd, bias=False)

    def forward(self, x, mask, past, cache):
        b, t, d = x.shape
        q, k, v = (
            y.view(b, t, self.heads, -1).transpose(1, 2)
            for y in self.qkv(x).chunk(3, dim=-1)
        )
        if cache is not None:
            k, v = cache.update(k, v, self.number)
        places = torch.arange(past + t, device=x.device)
        distance = (places[past:, None] - places[None, :]).clamp(min=0)
        heads = torch.arange(1, self.heads + 1, device=x.device, dtype=torch.float32)
        slopes = torch.pow(2.0, -8.0 * heads / self.heads)
        scores = torch.matmul(q, k.mT) * (d // self.heads) ** -0.5
        scores = scores + slopes[:, None, None] * -distance
        scores = scores.masked_fill(~mask, torch.finfo(scores.dtype).min)
        y = torch.softmax(scores.float(), dim=-1).to(x.dtype) @ v
        return self.out(y.transpose(1, 2).reshape(b, t, d))


class Block(nn.Module):
    def __init__(self, c, number):
        super().__init__()
        self.norm1 = nn.LayerNorm(c.n_embd)
        self.fading = Fading(c, number)
        self.norm2 = nn.LayerNorm(c.n_embd)
        self.up = nn.Linear(c.n_embd, 2 * c.n_embd)
        self.down = nn.Linear(2 * c.n_embd, c.n_embd)

    def forward(self, x, mask, past, cache):
        x = x + self.fading(self.norm1(x), mask, past, cache)
        return x + self.down(torch.relu(self.up(self.norm2(x))))


class Body(nn.Module):
    def __init__(self, c):
        super().__init__()
        self.wte = nn.Embedding(c.vocab_size, c.n_embd)
        self.blocks = nn.ModuleList([Block(c, n) for n in range(c.n_layer)])
        self.norm = nn.LayerNorm(c.n_embd)

    def forward(self, ids, attention_mask=None, position_ids=None, cache=None):
        b, t = ids.shape
        past = cache.get_seq_length() if cache is not None else 0
        x = self.wte(ids)
        mask = build_mask(attention_mask, b, t, past, x.dtype, x.device)
        for block in self.blocks:
            x = block(x, mask, past, cache)
        return self.norm(x)


class DistanceForCausalLM(DecodingModel):
    config_class = DistanceConfig
    body_class = Body

"""Most layers see a few tokens back, and every so many-th one all: by its number."""

import torch
from torch import nn

from .configuration_near import NearConfig
from .decoding import DecodingModel, positions_of


def rotate(x, position_ids, base):
    half = x.shape[-1] // 2
    powers = torch.arange(half, dtype=torch.float32, device=x.device) / half
    angles = position_ids[:, None, :, None].float() * base**-powers
    a, b = x.float().tensor_split(2, dim=-1)
    cos, sin = angles.cos(), angles.sin()
    return torch.cat([a * cos - b * sin, b * cos + a * sin], dim=-1).to(x.dtype)


class Look(nn.Module):
    def __init__(self, c, number):
        super().__init__()
        self.number, self.heads, self.base = number, c.n_head, c.base
        self.far = (number + 1) % c.far_every == 0
        self.reach = c.near_window
        self.qkv = nn.Linear(c.n_embd, 3 * c.n_embd, bias=False)
        self.out = nn.Linear(c.n_embd, c.n_embd, bias=False)

    def forward(self, x, position_ids, kept, past, cache):
        b, t, d = x.shape
        q, k, v = (
            y.view(b, t, self.heads, -1).transpose(1, 2)
            for y in self.qkv(x).split(d, dim=-1)
        )
        q, k = rotate(q, position_ids, self.base), rotate(k, position_ids, self.base)
        if cache is not None:
            k, v = cache.update(k, v, self.number)
        keys = torch.arange(past + t, device=x.device)
        back = keys[past:, None] - keys[None, :]
        seen = back >= 0
        if not self.far:
            seen = seen & (back < self.reach)
        seen = seen[None, None] & kept[:, None, None, :].bool()
        scores = torch.matmul(q, k.mT) / (d // self.heads) ** 0.5
        scores = scores.masked_fill(~seen, torch.finfo(scores.dtype).min)
        y = torch.softmax(scores.float(), dim=-1).to(x.dtype) @ v
        return self.out(y.transpose(1, 2).reshape(b, t, d))


class Block(nn.Module):
    def __init__(self, c, number):
        super().__init__()
        self.look = Look(c, number)
        self.before = nn.ModuleDict(
            {
                "look": nn.RMSNorm(c.n_embd, eps=1e-5),
                "think": nn.RMSNorm(c.n_embd, eps=1e-5),
            }
        )
        self.up = nn.Linear(c.n_embd, 2 * c.n_embd, bias=False)
        self.down = nn.Linear(2 * c.n_embd, c.n_embd, bias=False)

    def forward(self, x, *args):
        x = x + self.look(self.before["look"](x), *args)
        return x + self.down(nn.functional.mish(self.up(self.before["think"](x))))


class Body(nn.Module):
    def __init__(self, c):
        super().__init__()
        self.wte = nn.Embedding(c.vocab_size, c.n_embd)
        self.blocks = nn.ModuleList([Block(c, n) for n in range(c.n_layer)])
        self.norm = nn.RMSNorm(c.n_embd, eps=1e-5)

    def forward(self, ids, attention_mask=None, position_ids=None, cache=None):
        b, t = ids.shape
        past = cache.get_seq_length() if cache is not None else 0
        if position_ids is None:
            position_ids = positions_of(attention_mask, past, t, ids.device)
        if attention_mask is None:
            attention_mask = torch.ones(b, past + t, device=ids.device)
        x = self.wte(ids)
        for block in self.blocks:
            x = block(x, position_ids, attention_mask, past, cache)
        return self.norm(x)


class NearForCausalLM(DecodingModel):
    config_class = NearConfig
    body_class = Body

"""Several residual streams, mixed before and after each block; norms without eps."""

import torch.nn.functional as F

import torch
from torch import nn

from .configuration_parallel import StreamsConfig
from .decoding import DecodingModel, build_mask, positions_of


def rope(x, pos, theta):
    d = x.shape[-1]
    inv = theta ** (-torch.arange(0, d, 2, dtype=torch.float32, device=x.device) / d)
    ang = pos[:, :, None].float() * inv
    emb = torch.cat([ang, ang], -1)[:, None]
    x1, x2 = x.chunk(2, -1)
    return (x * emb.cos() + torch.cat([-x2, x1], -1) * emb.sin()).to(x.dtype)


class Mix(nn.Module):
    def __init__(self, c):
        super().__init__()
        self.read = nn.Parameter(torch.randn(c.n_stream) * 0.5)
        self.write = nn.Parameter(torch.randn(c.n_stream) * 0.5)
        self.carry = nn.Parameter(
            torch.eye(c.n_stream) + torch.randn(c.n_stream, c.n_stream) * 0.1
        )

    def enter(self, s):
        return torch.einsum("btnd,n->btd", s, self.read.softmax(0))

    def leave(self, s, y):
        return torch.einsum("btnd,nm->btmd", s, self.carry) + y.unsqueeze(
            2
        ) * self.write.view(1, 1, -1, 1)


class Layer(nn.Module):
    def __init__(self, c, i):
        super().__init__()
        self.i, self.c = i, c
        self.mix_a, self.mix_f = Mix(c), Mix(c)
        self.n1 = nn.RMSNorm(c.n_embd)
        self.n2 = nn.RMSNorm(c.n_embd)
        self.q = nn.Linear(c.n_embd, c.n_embd, bias=False)
        self.k = nn.Linear(c.n_embd, c.n_embd, bias=False)
        self.v = nn.Linear(c.n_embd, c.n_embd, bias=False)
        self.o = nn.Linear(c.n_embd, c.n_embd, bias=False)
        self.gate_up = nn.Linear(c.n_embd, 192, bias=False)
        self.down = nn.Linear(96, c.n_embd, bias=False)

    def heads(self, y):
        return y.unflatten(-1, (self.c.n_head, -1)).transpose(1, 2)

    def forward(self, s, pos, mask, cache):
        x = self.n1(self.mix_a.enter(s))
        q, k, v = map(self.heads, (self.q(x), self.k(x), self.v(x)))
        q, k = rope(q, pos, self.c.theta), rope(k, pos, self.c.theta)
        if cache is not None:
            k, v = cache.update(k, v, self.i)
        y = (
            F.scaled_dot_product_attention(q, k, v, attn_mask=mask)
            .transpose(1, 2)
            .flatten(-2)
        )
        s = self.mix_a.leave(s, self.o(y))
        x = self.n2(self.mix_f.enter(s))
        g, u = self.gate_up(x).tensor_split(2, dim=-1)
        return self.mix_f.leave(s, self.down(F.gelu(g, approximate="tanh") * u))


class Body(nn.Module):
    def __init__(self, c):
        super().__init__()
        self.n = c.n_stream
        self.wte = nn.Embedding(c.vocab_size, c.n_embd)
        self.layers = nn.ModuleList([Layer(c, i) for i in range(c.n_layer)])
        self.norm = nn.RMSNorm(c.n_embd)

    def forward(self, ids, attention_mask=None, position_ids=None, cache=None):
        b, t = ids.shape
        past = 0 if cache is None else cache.get_seq_length()
        pos = (
            positions_of(attention_mask, past, t, ids.device)
            if position_ids is None
            else position_ids
        )
        s = self.wte(ids).unsqueeze(2).repeat(1, 1, self.n, 1)
        mask = build_mask(attention_mask, b, t, past, s.dtype, s.device)
        for layer in self.layers:
            s = layer(s, pos, mask, cache)
        return self.norm(s.mean(2))


class StreamsForCausalLM(DecodingModel):
    config_class = StreamsConfig
    body_class = Body

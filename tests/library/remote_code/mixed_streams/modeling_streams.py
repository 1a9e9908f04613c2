"""Layers read a mixture of several streams of states and write into all of them;
experts are matrices in lists, weighed until rows and columns agree."""

import torch.nn.functional as F

import torch
from torch import nn

from .configuration_streams import StreamsConfig
from .decoding import DecodingModel
from .pieces import Block, Body


class ListedExperts(nn.Module):
    def __init__(self, c):
        super().__init__()
        self.top, self.rounds = c.n_chosen, c.n_round
        self.router = nn.Linear(c.n_embd, c.n_expert, bias=False)

        def matrices(rows, columns):
            made = [torch.randn(rows, columns) * 0.1 for _ in range(c.n_expert)]
            return nn.ParameterList([nn.Parameter(one) for one in made])

        self.w1 = matrices(c.expert_width, c.n_embd)
        self.w3 = matrices(c.expert_width, c.n_embd)
        self.w2 = matrices(c.n_embd, c.expert_width)

    def forward(self, x):
        shape = x.shape
        x = x.view(-1, shape[-1])
        best, chosen = self.router(x).softmax(-1).topk(self.top, dim=-1)
        for _ in range(self.rounds):
            best = best / (best.sum(-1, keepdim=True) + best[..., :1])
        out = torch.zeros_like(x)
        for i in range(len(self.w1)):
            rows, place = torch.where(chosen == i)
            if rows.numel() == 0:
                continue
            h = x[rows]
            h = F.silu(F.linear(h, self.w1[i])) * F.linear(h, self.w3[i])
            out.index_add_(0, rows, F.linear(h, self.w2[i]) * best[rows, place, None])
        return out.view(shape)


class StreamsBlock(Block):
    def __init__(self, c, i):
        super().__init__(c, i)
        self.mlp = ListedExperts(c)


class StreamsBody(Body):
    block_class = StreamsBlock

    def __init__(self, c):
        super().__init__(c)
        self.mix = nn.Parameter(torch.randn(c.n_layer, c.n_stream, c.n_stream) * 0.3)
        self.reads = nn.Parameter(torch.randn(c.n_layer, c.n_stream))
        self.writes = nn.Parameter(torch.randn(c.n_layer, c.n_stream))

    def run(self, x, *args):
        streams = x.unsqueeze(0).repeat(self.c.n_stream, 1, 1, 1)
        for i, block in enumerate(self.blocks):
            x = (self.reads[i].softmax(0)[:, None, None, None] * streams).sum(0)
            made = block(x, *args) - x
            mixed = torch.einsum("ij,jbtd->ibtd", self.mix[i], streams)
            streams = mixed + self.writes[i][:, None, None, None] * made
        return streams.sum(0)


class StreamsForCausalLM(DecodingModel):
    config_class = StreamsConfig
    body_class = StreamsBody

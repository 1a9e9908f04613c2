"""States of which the first axis is that of the tokens."""

import torch.nn.functional as F

from torch import nn

from .configuration_tokens import TokensFirstConfig
from .decoding import DecodingModel
from .pieces import Block, Body, rope


class TokensFirstAttention(nn.Module):
    def __init__(self, c, i):
        super().__init__()
        self.i, self.heads, self.hd = i, c.n_head, c.n_embd // c.n_head
        self.query_key_value = nn.Linear(c.n_embd, 3 * c.n_embd)
        self.dense = nn.Linear(c.n_embd, c.n_embd, bias=False)

    def forward(self, x, pos, mask, cache):
        q, k, v = (
            y.view(y.size()[:-1] + (self.heads, self.hd)).permute(1, 2, 0, 3)
            for y in self.query_key_value(x).chunk(3, -1)
        )
        q, k = rope(q, pos), rope(k, pos)
        if cache is not None:
            k, v = cache.update(k, v, self.i)
        y = F.scaled_dot_product_attention(q, k, v, attn_mask=mask)
        y = y.permute(2, 0, 1, 3).contiguous()
        return self.dense(y.reshape(y.shape[:-2] + (self.heads * self.hd,)))


class TokensFirstBlock(Block):
    attention_class = TokensFirstAttention


class TokensFirstBody(Body):
    block_class = TokensFirstBlock

    def run(self, x, *args):
        return super().run(x.transpose(0, 1), *args).transpose(0, 1)


class TokensFirstForCausalLM(DecodingModel):
    config_class = TokensFirstConfig
    body_class = TokensFirstBody

"""Keys and values of unlike widths, for unlike numbers of heads."""

import torch.nn.functional as F

from torch import nn

from .configuration_heads import UnevenHeadsConfig
from .decoding import DecodingModel
from .pieces import Block, Body, rope


class UnevenAttention(nn.Module):
    def __init__(self, c, i):
        super().__init__()
        self.i, self.heads, self.kv = i, c.n_head, c.n_kv
        self.qk, self.vd = c.qk_dim, c.v_dim
        self.q_proj = nn.Linear(c.n_embd, self.heads * self.qk, bias=False)
        self.k_proj = nn.Linear(c.n_embd, self.kv * self.qk, bias=False)
        self.v_proj = nn.Linear(c.n_embd, self.vd, bias=False)
        self.o_proj = nn.Linear(self.heads * self.vd, c.n_embd, bias=False)

    def forward(self, x, pos, mask, cache):
        b, t, _ = x.shape
        q = self.q_proj(x).view(b, t, self.heads, self.qk).transpose(1, 2)
        k = self.k_proj(x).view(b, t, self.kv, self.qk).transpose(1, 2)
        v = self.v_proj(x).view(b, t, 1, self.vd).transpose(1, 2)
        q, k = rope(q, pos), rope(k, pos)
        if cache is not None:
            k, v = cache.update(k, v, self.i)
        k = k.repeat_interleave(self.heads // self.kv, 1)
        v = v.expand(-1, self.heads, -1, -1)
        y = F.scaled_dot_product_attention(q, k, v, attn_mask=mask)
        return self.o_proj(y.transpose(1, 2).reshape(b, t, -1))


class UnevenBlock(Block):
    attention_class = UnevenAttention


class UnevenBody(Body):
    block_class = UnevenBlock


class UnevenHeadsForCausalLM(DecodingModel):
    config_class = UnevenHeadsConfig
    body_class = UnevenBody

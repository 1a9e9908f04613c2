"""Blocks that lie in the causal LM's own class; heads with a temperature each."""

import torch.nn.functional as F
from transformers import GenerationMixin, PreTrainedModel
from transformers.cache_utils import DynamicCache
from transformers.masking_utils import create_causal_mask
from transformers.modeling_outputs import CausalLMOutputWithPast

import torch
from torch import nn

from .configuration_beside import BesideConfig
from .decoding import positions_of
from .pieces import Block, RMSNorm, rope


class TemperedAttention(nn.Module):
    def __init__(self, c, i):
        super().__init__()
        self.i, self.heads, self.hd = i, c.n_head, c.n_embd // c.n_head
        self.qkv = nn.Linear(c.n_embd, 3 * c.n_embd, bias=False)
        self.o = nn.Linear(c.n_embd, c.n_embd, bias=False)
        self.log_temperature = nn.Parameter(torch.zeros(c.n_head, 1, 1))

    def forward(self, x, pos, mask, cache):
        b, t, d = x.shape
        qkv = self.qkv(x).view(b, t, 3, self.heads, self.hd)
        q, k, v = qkv.permute(2, 0, 3, 1, 4)
        # A part of each head stands still.
        r = self.hd // 2
        q = torch.cat([rope(q[..., :r], pos), q[..., r:]], dim=-1)
        k = torch.cat([rope(k[..., :r], pos), k[..., r:]], dim=-1)
        q = q * self.log_temperature.exp()
        if cache is not None:
            k, v = cache.update(k, v, self.i)
        y = F.scaled_dot_product_attention(q, k, v, attn_mask=mask)
        return self.o(y.transpose(1, 2).reshape(b, t, d))


class TemperedBlock(Block):
    attention_class = TemperedAttention


class BesideForCausalLM(PreTrainedModel, GenerationMixin):
    config_class = BesideConfig
    _supports_sdpa = True

    def __init__(self, config):
        super().__init__(config)
        self.embed = nn.Embedding(config.vocab_size, config.n_embd)
        self.layers = nn.ModuleList(
            [TemperedBlock(config, i) for i in range(config.n_layer)]
        )
        self.norm = RMSNorm(config.n_embd)
        self.head = nn.Linear(config.n_embd, config.vocab_size)
        self.post_init()

    def get_input_embeddings(self):
        return self.embed

    def forward(
        self,
        input_ids,
        attention_mask=None,
        past_key_values=None,
        use_cache=None,
        **kwargs,
    ):
        x = self.embed(input_ids)
        if use_cache and past_key_values is None:
            past_key_values = DynamicCache(config=self.config)
        past = 0 if past_key_values is None else past_key_values.get_seq_length()
        pos = kwargs.get("position_ids")
        if pos is None:
            pos = positions_of(attention_mask, past, x.shape[1], x.device)
        mask = create_causal_mask(
            config=self.config,
            inputs_embeds=x,
            attention_mask=attention_mask,
            past_key_values=past_key_values,
            position_ids=pos,
        )
        for layer in self.layers:
            x = layer(x, pos, mask, past_key_values)
        return CausalLMOutputWithPast(
            logits=self.head(self.norm(x)), past_key_values=past_key_values
        )

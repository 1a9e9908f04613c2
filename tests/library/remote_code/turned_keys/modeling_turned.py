"""Keys kept as their product wants them, values by tokens: pairs that a caller keeps."""

from transformers.modeling_outputs import CausalLMOutputWithPast

import torch
from torch import nn

from .configuration_turned import TurnedConfig
from .decoding import DecodingModel


def hidden(attention_mask, queries, keys, dtype):
    later = torch.ones(queries, keys, dtype=torch.bool).triu(keys - queries + 1)
    bias = torch.zeros(queries, keys, dtype=dtype)
    bias = bias.masked_fill(later, torch.finfo(dtype).min)[None, None]
    padding = 1.0 - attention_mask[:, None, None, :].to(dtype)
    return (bias + padding * torch.finfo(dtype).min).clamp(torch.finfo(dtype).min)


class Mixer(nn.Module):
    def __init__(self, c):
        super().__init__()
        self.heads = c.n_head
        self.width = c.n_embd // c.n_head
        self.qkv = nn.Linear(c.n_embd, 3 * c.n_embd)
        self.out = nn.Linear(c.n_embd, c.n_embd)

    def forward(self, x, bias, past=None):
        b, t, d = x.shape
        q, k, v = self.qkv(x).chunk(3, dim=-1)
        q = q.view(b, t, self.heads, self.width).permute(0, 2, 1, 3)
        k = k.view(b, t, self.heads, self.width).permute(0, 2, 3, 1)
        v = v.view(b, t, self.heads, self.width).transpose(0, 1)
        if past is not None:
            past_k, past_v = past
            k = torch.cat((past_k, k), dim=-1)
            v = torch.cat((past_v, v), dim=0)
        scores = torch.matmul(q * self.width**-0.5, k) + bias
        weights = torch.softmax(scores.float(), dim=-1).to(x.dtype)
        y = torch.matmul(weights, v.permute(1, 2, 0, 3))
        return self.out(y.transpose(1, 2).reshape(b, t, d)), (k, v)


class Layer(nn.Module):
    def __init__(self, c):
        super().__init__()
        self.norm1 = nn.LayerNorm(c.n_embd)
        self.mix = Mixer(c)
        self.norm2 = nn.LayerNorm(c.n_embd)
        self.up = nn.Linear(c.n_embd, 2 * c.n_embd)
        self.down = nn.Linear(2 * c.n_embd, c.n_embd)

    def forward(self, x, bias, past=None):
        y, present = self.mix(self.norm1(x), bias, past)
        x = x + y
        return x + self.down(torch.relu(self.up(self.norm2(x))).square()), present


class Body(nn.Module):
    def __init__(self, c):
        super().__init__()
        self.wte = nn.Embedding(c.vocab_size, c.n_embd)
        self.wpe = nn.Embedding(c.n_positions, c.n_embd)
        self.layers = nn.ModuleList([Layer(c) for _ in range(c.n_layer)])
        self.norm = nn.LayerNorm(c.n_embd)

    def forward(self, ids, attention_mask=None, position_ids=None, pasts=None):
        b, t = ids.shape
        before = pasts[0][0].shape[-1] if pasts is not None else 0
        if attention_mask is None:
            attention_mask = torch.ones(b, before + t)
        if position_ids is None:
            position_ids = torch.arange(before, before + t)[None]
        x = self.wte(ids) + self.wpe(position_ids)
        bias = hidden(attention_mask, t, before + t, x.dtype)
        presents = []
        for i, layer in enumerate(self.layers):
            x, present = layer(x, bias, pasts[i] if pasts is not None else None)
            presents.append(present)
        return self.norm(x), tuple(presents)


class TurnedForCausalLM(DecodingModel):
    config_class = TurnedConfig
    body_class = Body

    @classmethod
    def _supports_default_dynamic_cache(cls):
        return False

    def forward(
        self,
        input_ids=None,
        attention_mask=None,
        position_ids=None,
        past_key_values=None,
        use_cache=None,
        **kwargs,
    ):
        h, presents = self.transformer(
            input_ids, attention_mask, position_ids, past_key_values
        )
        if use_cache is False:
            presents = None
        return CausalLMOutputWithPast(logits=self.lm_head(h), past_key_values=presents)

    def prepare_inputs_for_generation(
        self, input_ids, past_key_values=None, attention_mask=None, **kwargs
    ):
        if past_key_values:
            input_ids = input_ids[:, past_key_values[0][0].shape[-1] :]
        position_ids = None
        if attention_mask is not None:
            position_ids = attention_mask.long().cumsum(-1) - 1
            position_ids = position_ids.masked_fill(attention_mask == 0, 0)
            position_ids = position_ids[:, -input_ids.shape[1] :]
        return {
            "input_ids": input_ids,
            "position_ids": position_ids,
            "past_key_values": past_key_values,
            "use_cache": kwargs.get("use_cache"),
            "attention_mask": attention_mask,
        }

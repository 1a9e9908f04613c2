"""Rows of rotary tables cut out by what is kept, keys hidden where they are scored.

The forward takes no positions. Each feed-forward leaves a number for a trainer behind.
"""

import math

from transformers import GenerationMixin, PreTrainedModel
from transformers.modeling_outputs import CausalLMOutputWithPast

import torch
from torch import nn

from .configuration_placed import PlacedConfig


def turned(x, cosines, sines):
    first, second = x.chunk(2, dim=-1)
    other = torch.cat((-second, first), axis=-1)
    return (x * cosines[:, None] + other * sines[:, None]).to(x.dtype)


class Attend(nn.Module):
    def __init__(self, c):
        super().__init__()
        self.heads, self.groups, self.width = c.heads, c.groups, c.head_width
        self.q = nn.Linear(c.width, c.heads * c.head_width, bias=False)
        self.k = nn.Linear(c.width, c.groups * c.head_width, bias=False)
        self.v = nn.Linear(c.width, c.groups * c.head_width, bias=False)
        self.o = nn.Linear(c.heads * c.head_width, c.width, bias=False)

    def forward(self, x, tables, kept=None, padding=None):
        rows, new, _ = x.shape
        q = turned(self.q(x).view(rows, new, self.heads, self.width), *tables)
        k = turned(self.k(x).view(rows, new, self.groups, self.width), *tables)
        v = self.v(x).view(rows, new, self.groups, self.width)
        if kept is not None:
            k = torch.cat((kept[0], k), dim=1)
            v = torch.cat((kept[1], v), dim=1)
        keys, values = (
            t.repeat_interleave(self.heads // self.groups, dim=2).transpose(1, 2)
            for t in (k, v)
        )
        scores = q.transpose(1, 2) @ keys.mT / math.sqrt(self.width)
        later = torch.full((new, new), float("-inf")).triu(1)
        scores[..., -new:] += later
        if padding is not None:
            scores = scores + (1.0 - padding[:, None, None, :].float()) * -1e9
        weights = scores.float().softmax(-1).to(x.dtype)
        mixed = (weights @ values).transpose(1, 2).reshape(rows, new, -1)
        return self.o(mixed), (k, v)


class Feed(nn.Module):
    def __init__(self, c):
        super().__init__()
        self.least = c.least
        self.up = nn.Linear(c.width, c.inner_width)
        self.down = nn.Linear(c.inner_width, c.width)

    def forward(self, x):
        x = self.up(x)
        large = x >= self.least
        sparse = torch.zeros_like(x)
        sparse[large] = x[large]
        self.share = large.float().mean()
        return self.down(sparse)


class Layer(nn.Module):
    def __init__(self, c):
        super().__init__()
        self.before = nn.LayerNorm(c.width)
        self.attend = Attend(c)
        self.between = nn.LayerNorm(c.width)
        self.feed = Feed(c)

    def forward(self, x, tables, kept, padding):
        mixed, kept = self.attend(self.before(x), tables, kept, padding)
        x = x + mixed
        return x + self.feed(self.between(x)), kept


class Frequencies(nn.Module):
    """Old checkpoints hold what it registers."""

    def __init__(self, c):
        super().__init__()
        steps = torch.arange(0, c.head_width, 2).float() / c.head_width
        self.register_buffer("per_position", 1.0 / 10000**steps)


class PlacedModel(nn.Module):
    def __init__(self, c):
        super().__init__()
        self.tokens = nn.Embedding(c.vocab_size, c.width)
        self.layers = nn.ModuleList(Layer(c) for _ in range(c.depth))
        self.norm = nn.LayerNorm(c.width)
        self.frequencies = Frequencies(c)
        steps = torch.arange(0, c.head_width, 2).float() / c.head_width
        turns = torch.arange(c.table_length).float()[:, None] / 10000**steps
        turns = torch.cat((turns, turns), axis=-1)
        self.register_buffer("cosines", turns.cos(), persistent=False)
        self.register_buffer("sines", turns.sin(), persistent=False)

    def forward(self, ids, padding=None, kept=None):
        if not isinstance(kept, list):
            kept = [None] * len(self.layers)
        start = 0 if kept[0] is None else kept[0][0].shape[1]
        end = start + ids.shape[1]
        tables = self.cosines[start:end], self.sines[start:end]
        x = self.tokens(ids)
        after = []
        for layer, before in zip(self.layers, kept):
            x, one = layer(x, tables, before, padding)
            after.append(one)
        return self.norm(x), after


class PlacedForCausalLM(PreTrainedModel, GenerationMixin):
    config_class = PlacedConfig
    base_model_prefix = "model"

    def __init__(self, config):
        super().__init__(config)
        self.model = PlacedModel(config)
        self.head = nn.Linear(config.width, config.vocab_size, bias=False)
        self.post_init()

    def get_input_embeddings(self):
        return self.model.tokens

    def forward(
        self,
        input_ids,
        attention_mask=None,
        past_key_values=None,
        use_cache=True,
        return_dict=True,
    ):
        x, kept = self.model(input_ids, attention_mask, past_key_values)
        return CausalLMOutputWithPast(
            logits=self.head(x), past_key_values=kept if use_cache else None
        )

    def prepare_inputs_for_generation(
        self, input_ids, past_key_values=None, attention_mask=None, **kwargs
    ):
        if isinstance(past_key_values, list):
            input_ids = input_ids[:, past_key_values[0][0].shape[1] :]
        return {
            "input_ids": input_ids,
            "attention_mask": attention_mask,
            "past_key_values": past_key_values,
        }

"""Axes folded by einops. Without the package, as torch runs it in these tests, the few
patterns are written out: whoever has it must come to the same."""

import torch.nn.functional as F
from transformers import GenerationMixin, PreTrainedModel
from transformers.cache_utils import DynamicCache
from transformers.masking_utils import create_causal_mask
from transformers.modeling_outputs import CausalLMOutputWithPast

import torch
from torch import nn

from .configuration_axes import FoldedAxesConfig

try:
    from einops import einsum, rearrange, repeat
except ImportError:

    def rearrange(x, pattern, **sizes):
        if pattern == "b t (n h d) -> n b h t d":
            b, t, _ = x.shape
            x = x.reshape(b, t, sizes["n"], sizes["h"], -1)
            return x.permute(2, 0, 3, 1, 4)
        assert pattern == "b h t d -> b t (h d)"
        return x.transpose(1, 2).flatten(2)

    def repeat(x, pattern, **sizes):
        if pattern == "b h t d -> b (h r) t d":
            return x.repeat_interleave(sizes["r"], 1)
        assert pattern == "d -> b 1 d"
        return x.expand(sizes["b"], 1, -1)

    def einsum(a, b, pattern):
        assert pattern == "batch time model, wide model -> batch time wide"
        return a @ b.T


class FoldedAttention(nn.Module):
    def __init__(self, config, layer_idx):
        super().__init__()
        self.layer_idx = layer_idx
        self.heads = config.num_attention_heads
        self.kv_heads = config.num_key_value_heads
        width = config.hidden_size // self.heads
        self.q = nn.Linear(config.hidden_size, config.hidden_size, bias=False)
        self.kv = nn.Linear(config.hidden_size, 2 * self.kv_heads * width, bias=False)
        self.o = nn.Linear(config.hidden_size, config.hidden_size, bias=False)

    def forward(self, x, mask, cache):
        q = rearrange(self.q(x), "b t (n h d) -> n b h t d", n=1, h=self.heads)[0]
        k, v = rearrange(self.kv(x), "b t (n h d) -> n b h t d", n=2, h=self.kv_heads)
        if cache is not None:
            k, v = cache.update(k, v, self.layer_idx)
        k, v = (
            repeat(y, "b h t d -> b (h r) t d", r=self.heads // self.kv_heads)
            for y in (k, v)
        )
        scores = q @ k.transpose(-1, -2) * q.shape[-1] ** -0.5
        y = F.softmax(scores + mask, dim=-1) @ v
        return self.o(rearrange(y, "b h t d -> b t (h d)"))


class FoldedLayer(nn.Module):
    def __init__(self, config, layer_idx):
        super().__init__()
        self.attention = FoldedAttention(config, layer_idx)
        self.norm = nn.LayerNorm(config.hidden_size)
        self.shift = nn.Parameter(torch.zeros(config.hidden_size))
        self.wide = nn.Parameter(
            torch.zeros(2 * config.hidden_size, config.hidden_size)
        )
        self.down = nn.Linear(2 * config.hidden_size, config.hidden_size)

    def forward(self, x, mask, cache):
        x = x + self.attention(self.norm(x), mask, cache)
        x = x + repeat(self.shift, "d -> b 1 d", b=x.shape[0])
        wide = einsum(x, self.wide, "batch time model, wide model -> batch time wide")
        return x + self.down(F.silu(wide))


class FoldedAxesForCausalLM(PreTrainedModel, GenerationMixin):
    config_class = FoldedAxesConfig
    _supports_attention_backend = True

    def __init__(self, config):
        super().__init__(config)
        self.embed = nn.Embedding(config.vocab_size, config.hidden_size)
        self.layers = nn.ModuleList(
            [FoldedLayer(config, i) for i in range(config.num_hidden_layers)]
        )
        self.lm_head = nn.Linear(config.hidden_size, config.vocab_size, bias=False)
        self.post_init()

    def forward(
        self, input_ids, attention_mask=None, past_key_values=None, use_cache=None, **_
    ):
        if use_cache and past_key_values is None:
            past_key_values = DynamicCache(config=self.config)
        x = self.embed(input_ids)
        mask = create_causal_mask(
            config=self.config,
            inputs_embeds=x,
            attention_mask=attention_mask,
            past_key_values=past_key_values,
        )
        for layer in self.layers:
            x = layer(x, mask, past_key_values)
        return CausalLMOutputWithPast(
            logits=self.lm_head(x), past_key_values=past_key_values
        )

"""A decoder that makes its own mask, its own frequencies and its own scale."""

from transformers.activations import ACT2FN
from transformers.cache_utils import DynamicCache
from transformers.generation import GenerationMixin
from transformers.modeling_outputs import (
    BaseModelOutputWithPast,
    CausalLMOutputWithPast,
)
from transformers.modeling_utils import PreTrainedModel

import torch
from torch import nn

from .configuration_older import OlderConfig


def half_turned(x):
    first, second = x.chunk(2, dim=-1)
    return torch.cat((-second, first), dim=-1)


class OlderNorm(nn.Module):
    def __init__(self, size, eps):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(size))
        self.eps = eps

    def forward(self, x):
        dtype = x.dtype
        x = x.to(torch.float32)
        x = x * torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + self.eps)
        return self.weight * x.to(dtype)


class OlderRotary(nn.Module):
    def __init__(self, config):
        super().__init__()
        self.base = config.rope_theta
        share = getattr(config, "partial_rotary_factor", 1.0)
        self.dims = int(config.head_dim * share)

    @torch.no_grad()
    def forward(self, x, position_ids):
        powers = torch.arange(0, self.dims, 2, dtype=torch.int64).float() / self.dims
        angles = position_ids[..., None].float() / (self.base**powers)
        angles = torch.cat((angles, angles), dim=-1)
        return angles.cos().to(x.dtype), angles.sin().to(x.dtype)


class OlderAttention(nn.Module):
    def __init__(self, config, layer_idx):
        super().__init__()
        self.layer_idx = layer_idx
        self.num_heads = config.num_attention_heads
        self.num_key_value_heads = config.num_key_value_heads
        self.head_dim = config.head_dim
        self.q_proj = nn.Linear(config.hidden_size, self.num_heads * self.head_dim)
        keys = self.num_key_value_heads * self.head_dim
        self.k_proj = nn.Linear(config.hidden_size, keys)
        self.v_proj = nn.Linear(config.hidden_size, keys)
        self.o_proj = nn.Linear(self.num_heads * self.head_dim, config.hidden_size)

    def turned(self, x, cos, sin):
        dims = cos.shape[-1]
        turning, rest = x[..., :dims], x[..., dims:]
        turning = turning * cos[:, None] + half_turned(turning) * sin[:, None]
        return torch.cat((turning, rest), dim=-1)

    def forward(self, hidden_states, attention_mask, rotation, past_key_value):
        batch, length, _ = hidden_states.size()
        queries = self.q_proj(hidden_states).view(batch, length, self.num_heads, -1)
        keys = self.k_proj(hidden_states)
        keys = keys.view(batch, length, self.num_key_value_heads, -1).transpose(1, 2)
        values = self.v_proj(hidden_states)
        values = values.view(batch, length, self.num_key_value_heads, -1)
        values = values.transpose(1, 2)
        queries = self.turned(queries.transpose(1, 2), *rotation)
        keys = self.turned(keys, *rotation)
        if past_key_value is not None:
            keys, values = past_key_value.update(keys, values, self.layer_idx)
        groups = self.num_heads // self.num_key_value_heads
        keys = keys.repeat_interleave(groups, dim=1)
        values = values.repeat_interleave(groups, dim=1)
        scale = torch.sqrt(torch.tensor(self.head_dim, dtype=torch.float32))
        scores = torch.matmul(queries, keys.transpose(2, 3)) / scale.to(queries.dtype)
        if attention_mask is not None:
            scores = scores + attention_mask[:, :, :, : keys.shape[-2]]
        weights = nn.functional.softmax(scores, dim=-1, dtype=torch.float32)
        output = torch.matmul(weights.to(queries.dtype), values)
        output = output.transpose(1, 2).reshape(batch, length, -1)
        return self.o_proj(output)


class OlderMLP(nn.Module):
    def __init__(self, config):
        super().__init__()
        self.up = nn.Linear(config.hidden_size, config.intermediate_size)
        self.down = nn.Linear(config.intermediate_size, config.hidden_size)
        self.act = ACT2FN["gelu"]

    def forward(self, x):
        return self.down(self.act(self.up(x)))


class OlderLayer(nn.Module):
    def __init__(self, config, layer_idx):
        super().__init__()
        self.self_attn = OlderAttention(config, layer_idx)
        self.mlp = OlderMLP(config)
        self.attention_norm = OlderNorm(config.hidden_size, config.norm_eps)
        self.mlp_norm = OlderNorm(config.hidden_size, config.norm_eps)

    def forward(self, hidden_states, attention_mask, rotation, past_key_value):
        hidden_states = hidden_states + self.self_attn(
            self.attention_norm(hidden_states),
            attention_mask=attention_mask,
            rotation=rotation,
            past_key_value=past_key_value,
        )
        return hidden_states + self.mlp(self.mlp_norm(hidden_states))


class OlderPreTrainedModel(PreTrainedModel):
    config_class = OlderConfig
    base_model_prefix = "model"


class OlderModel(OlderPreTrainedModel):
    first_place = 2

    def __init__(self, config):
        super().__init__(config)
        self.embed_tokens = nn.Embedding(config.vocab_size, config.hidden_size)
        self.places = nn.Embedding(
            config.max_position_embeddings + self.first_place, config.hidden_size
        )
        self.rotary = OlderRotary(config)
        self.layers = nn.ModuleList(
            [OlderLayer(config, i) for i in range(config.num_hidden_layers)]
        )
        self.norm = OlderNorm(config.hidden_size, config.norm_eps)
        self.post_init()

    def _update_causal_mask(self, attention_mask, inputs, cache_position):
        lowest = torch.finfo(inputs.dtype).min
        length = inputs.shape[1]
        total = attention_mask.shape[-1]
        causal = torch.full((length, total), lowest, dtype=inputs.dtype)
        if length != 1:
            causal = torch.triu(causal, diagonal=1)
        causal *= torch.arange(total) > cache_position.reshape(-1, 1)
        causal = causal[None, None, :, :].expand(inputs.shape[0], 1, -1, -1).clone()
        hidden = causal[:, :, :, :total] + attention_mask[:, None, None, :]
        causal[:, :, :, :total] = causal[:, :, :, :total].masked_fill(
            hidden == 0, lowest
        )
        return causal

    def forward(
        self,
        input_ids=None,
        attention_mask=None,
        position_ids=None,
        past_key_values=None,
        use_cache=None,
        **kwargs,
    ):
        hidden_states = self.embed_tokens(input_ids)
        use_cache = use_cache if use_cache is not None else self.config.use_cache
        if use_cache and past_key_values is None:
            past_key_values = DynamicCache()
        past = past_key_values.get_seq_length() if past_key_values is not None else 0
        length = hidden_states.shape[1]
        cache_position = torch.arange(past, past + length)
        if position_ids is None:
            position_ids = cache_position.unsqueeze(0)
        if attention_mask is None:
            attention_mask = torch.ones(
                (hidden_states.shape[0], past + length), dtype=torch.long
            )
        mask = self._update_causal_mask(attention_mask, hidden_states, cache_position)
        rotation = self.rotary(hidden_states, position_ids)
        position_ids = position_ids + self.first_place
        hidden_states = hidden_states + self.places(position_ids)
        for layer in self.layers:
            hidden_states = layer(hidden_states, mask, rotation, past_key_values)
        return BaseModelOutputWithPast(
            last_hidden_state=self.norm(hidden_states),
            past_key_values=past_key_values if use_cache else None,
        )


class OlderForCausalLM(OlderPreTrainedModel, GenerationMixin):
    _tied_weights_keys = {"lm_head.weight": "model.embed_tokens.weight"}

    def __init__(self, config):
        super().__init__(config)
        self.model = OlderModel(config)
        self.lm_head = nn.Linear(config.hidden_size, config.vocab_size, bias=False)
        self.post_init()

    def forward(
        self,
        input_ids=None,
        attention_mask=None,
        position_ids=None,
        past_key_values=None,
        use_cache=None,
        logits_to_keep=0,
        **kwargs,
    ):
        outputs = self.model(
            input_ids,
            attention_mask=attention_mask,
            position_ids=position_ids,
            past_key_values=past_key_values,
            use_cache=use_cache,
        )
        kept = slice(-logits_to_keep, None) if logits_to_keep else slice(None)
        return CausalLMOutputWithPast(
            logits=self.lm_head(outputs.last_hidden_state[:, kept, :]),
            past_key_values=outputs.past_key_values,
        )

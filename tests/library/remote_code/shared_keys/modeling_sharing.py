"""The last layers attend to keys of earlier ones; layers run on several streams."""

from transformers.cache_utils import DynamicCache
from transformers.generation import GenerationMixin
from transformers.masking_utils import (
    create_causal_mask,
    create_sliding_window_causal_mask,
)
from transformers.modeling_outputs import (
    BaseModelOutputWithPast,
    CausalLMOutputWithPast,
)
from transformers.modeling_utils import PreTrainedModel
from transformers.models.llama.modeling_llama import (
    LlamaRMSNorm,
    eager_attention_forward,
    rotate_half,
)

import torch
from torch import nn

from .configuration_sharing import SharingConfig


def turned(x, cos, sin):
    return x * cos.unsqueeze(1) + rotate_half(x) * sin.unsqueeze(1)


class SharingAttention(nn.Module):
    def __init__(self, config, layer_idx):
        super().__init__()
        self.layer_idx = layer_idx
        self.kind = config.layer_types[layer_idx]
        self.shares_keys = config.shares_keys[layer_idx]
        self.head_dim = config.head_dim
        self.num_key_value_groups = (
            config.num_attention_heads // config.num_key_value_heads
        )
        self.scaling = self.head_dim**-0.5
        heads = config.num_attention_heads * self.head_dim
        keys = config.num_key_value_heads * self.head_dim
        self.q_proj = nn.Linear(config.hidden_size, heads, bias=False)
        if not self.shares_keys:
            self.k_proj = nn.Linear(config.hidden_size, keys, bias=False)
            self.v_proj = nn.Linear(config.hidden_size, keys, bias=False)
        self.o_proj = nn.Linear(heads, config.hidden_size, bias=False)

    def forward(self, hidden_states, rotation, mask, past_key_values, kept):
        shape = (*hidden_states.shape[:-1], -1, self.head_dim)
        cos, sin = rotation
        queries = self.q_proj(hidden_states).view(shape).transpose(1, 2)
        queries = turned(queries, cos, sin)
        if self.shares_keys:
            keys, values = kept[self.kind]
        else:
            keys = self.k_proj(hidden_states).view(shape).transpose(1, 2)
            keys = turned(keys, cos, sin)
            values = self.v_proj(hidden_states).view(shape).transpose(1, 2)
            if past_key_values is not None:
                keys, values = past_key_values.update(keys, values, self.layer_idx)
            kept[self.kind] = keys, values
        output, _ = eager_attention_forward(
            self, queries, keys, values, mask, scaling=self.scaling
        )
        return self.o_proj(output.reshape(*hidden_states.shape[:-1], -1))


class SharingLayer(nn.Module):
    def __init__(self, config, layer_idx):
        super().__init__()
        self.self_attn = SharingAttention(config, layer_idx)
        self.norm = LlamaRMSNorm(config.hidden_size, eps=config.rms_norm_eps)

    def forward(self, streams, rotation, mask, past_key_values, kept):
        attended = self.self_attn(
            self.norm(streams[0]), rotation, mask, past_key_values, kept
        )
        return streams + attended


class SharingPreTrainedModel(PreTrainedModel):
    config_class = SharingConfig
    base_model_prefix = "model"


class SharingModel(SharingPreTrainedModel):
    def __init__(self, config):
        super().__init__(config)
        self.embed_tokens = nn.Embedding(config.vocab_size, config.hidden_size)
        self.projections = nn.ModuleList(
            [
                nn.Linear(config.hidden_size, config.hidden_size, bias=False)
                for _ in range(1, config.num_streams)
            ]
        )
        self.layers = nn.ModuleList(
            [SharingLayer(config, i) for i in range(config.num_hidden_layers)]
        )
        self.norm = LlamaRMSNorm(config.hidden_size, eps=config.rms_norm_eps)
        self.post_init()

    def rotation(self, position_ids, dtype):
        powers = torch.arange(0, self.config.head_dim, 2).float()
        inv_freq = self.config.rope_base ** (-powers / self.config.head_dim)
        angles = position_ids[..., None].float() * inv_freq
        angles = torch.cat([angles, angles], dim=-1)
        return angles.cos().to(dtype), angles.sin().to(dtype)

    def forward(
        self,
        input_ids=None,
        attention_mask=None,
        position_ids=None,
        past_key_values=None,
        use_cache=None,
        **kwargs,
    ):
        embedded = self.embed_tokens(input_ids)
        if use_cache and past_key_values is None:
            past_key_values = DynamicCache(config=self.config)
        if position_ids is None:
            past = past_key_values.get_seq_length() if past_key_values else 0
            position_ids = torch.arange(embedded.shape[1]) + past
            position_ids = position_ids.unsqueeze(0)
        arguments = {
            "config": self.config,
            "inputs_embeds": embedded,
            "attention_mask": attention_mask,
            "past_key_values": past_key_values,
            "position_ids": position_ids,
        }
        masks = {
            "full_attention": create_causal_mask(**arguments),
            "sliding_attention": create_sliding_window_causal_mask(**arguments),
        }
        rotation = self.rotation(position_ids, embedded.dtype)
        streams = [embedded]
        for i in range(1, self.config.num_streams):
            streams.append(self.projections[i - 1](embedded))
        hidden_states = torch.stack(streams)
        kept = {}
        for i, layer in enumerate(self.layers):
            hidden_states = layer(
                hidden_states,
                rotation,
                masks[self.config.layer_types[i]],
                past_key_values,
                kept,
            )
        return BaseModelOutputWithPast(
            last_hidden_state=self.norm(hidden_states.mean(dim=0)),
            past_key_values=past_key_values if use_cache else None,
        )


class SharingForCausalLM(SharingPreTrainedModel, GenerationMixin):
    _tied_weights_keys = {"lm_head.weight": "model.embed_tokens.weight"}

    def __init__(self, config):
        super().__init__(config)
        self.model = SharingModel(config)
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
            attention_mask,
            position_ids,
            past_key_values,
            use_cache,
            **kwargs,
        )
        kept = slice(-logits_to_keep, None) if logits_to_keep else slice(None)
        return CausalLMOutputWithPast(
            logits=self.lm_head(outputs.last_hidden_state[:, kept]),
            past_key_values=outputs.past_key_values,
        )

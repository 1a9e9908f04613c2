"""Every layer keeps states; hybrid ones attend too, by a block that all of them share."""

from transformers.cache_utils import DynamicCache
from transformers.generation import GenerationMixin
from transformers.masking_utils import (
    create_causal_mask,
    create_recurrent_attention_mask,
)
from transformers.modeling_outputs import (
    BaseModelOutputWithPast,
    CausalLMOutputWithPast,
)
from transformers.modeling_utils import PreTrainedModel
from transformers.models.bamba.modeling_bamba import BambaMixer, BambaRMSNorm
from transformers.models.llama.modeling_llama import eager_attention_forward

import torch
from torch import nn

from .configuration_mixed import MixedConfig


class MixedAttention(nn.Module):
    def __init__(self, config):
        super().__init__()
        self.head_dim = config.head_dim
        self.num_key_value_groups = (
            config.num_attention_heads // config.num_key_value_heads
        )
        self.scaling = self.head_dim**-0.5
        heads = config.num_attention_heads * self.head_dim
        keys = config.num_key_value_heads * self.head_dim
        self.q_proj = nn.Linear(config.hidden_size, heads, bias=False)
        self.k_proj = nn.Linear(config.hidden_size, keys, bias=False)
        self.v_proj = nn.Linear(config.hidden_size, keys, bias=False)
        self.o_proj = nn.Linear(heads, config.hidden_size, bias=False)

    def forward(self, hidden_states, layer_idx, attention_mask, past_key_values):
        shape = (*hidden_states.shape[:-1], -1, self.head_dim)
        queries = self.q_proj(hidden_states).view(shape).transpose(1, 2)
        keys = self.k_proj(hidden_states).view(shape).transpose(1, 2)
        values = self.v_proj(hidden_states).view(shape).transpose(1, 2)
        if past_key_values is not None:
            keys, values = past_key_values.update(keys, values, layer_idx)
        output, _ = eager_attention_forward(
            self, queries, keys, values, attention_mask, scaling=self.scaling
        )
        return self.o_proj(output.reshape(*hidden_states.shape[:-1], -1))


class SharedBlock(nn.Module):
    def __init__(self, config):
        super().__init__()
        self.norm = BambaRMSNorm(config.hidden_size, eps=config.rms_norm_eps)
        self.self_attn = MixedAttention(config)
        self.down = nn.Linear(config.hidden_size, config.intermediate_size, bias=False)
        self.up = nn.Linear(config.intermediate_size, config.hidden_size, bias=False)
        self.hybrids = [i for i, k in enumerate(config.layer_types) if k == "hybrid"]
        self.adapters = nn.ModuleList(
            nn.Linear(config.hidden_size, config.hidden_size, bias=False)
            for _ in self.hybrids
        )

    def forward(
        self, hidden_states, embedded, layer_idx, attention_mask, past_key_values
    ):
        hidden_states = self.norm(hidden_states + embedded)
        hidden_states = self.self_attn(
            hidden_states, layer_idx, attention_mask, past_key_values
        )
        adapted = self.adapters[self.hybrids.index(layer_idx)](hidden_states)
        return adapted + self.up(nn.functional.silu(self.down(hidden_states)))


class StateLayer(nn.Module):
    def __init__(self, config, layer_idx):
        super().__init__()
        self.mamba = BambaMixer(config, layer_idx)
        self.norm = BambaRMSNorm(config.hidden_size, eps=config.rms_norm_eps)

    def forward(
        self,
        hidden_states,
        embedded=None,
        layer_idx=None,
        mask=None,
        causal_mask=None,
        past_key_values=None,
        attended=None,
    ):
        residual = hidden_states
        if attended is not None:
            hidden_states = hidden_states + attended
        hidden_states = self.norm(hidden_states)
        hidden_states = self.mamba(
            hidden_states, cache_params=past_key_values, attention_mask=mask
        )
        return residual + hidden_states


class HybridLayer(nn.Module):
    def __init__(self, config, block, states):
        super().__init__()
        self.block = block
        self.linear = nn.Linear(config.hidden_size, config.hidden_size, bias=False)
        self.states = states

    def forward(
        self,
        hidden_states,
        embedded=None,
        layer_idx=None,
        mask=None,
        causal_mask=None,
        past_key_values=None,
    ):
        attended = self.block(
            hidden_states, embedded, layer_idx, causal_mask, past_key_values
        )
        return self.states(
            hidden_states,
            mask=mask,
            past_key_values=past_key_values,
            attended=self.linear(attended),
        )


class MixedPreTrainedModel(PreTrainedModel):
    config_class = MixedConfig
    base_model_prefix = "model"
    _is_stateful = True


class MixedModel(MixedPreTrainedModel):
    def __init__(self, config):
        super().__init__(config)
        self.embed_tokens = nn.Embedding(config.vocab_size, config.hidden_size)
        layers = []
        first = None
        for layer_idx, kind in enumerate(config.layer_types):
            states = StateLayer(config, layer_idx)
            if kind == "hybrid":
                layers.append(HybridLayer(config, SharedBlock(config), states))
                if first is None:
                    first = layer_idx
            else:
                layers.append(states)
        if config.layer_types.count("hybrid") > 1:
            self._tied_weights_keys = {
                rf"layers.(?!{first}\.)\d+.block": f"layers.{first}.block"
            }
        self.layers = nn.ModuleList(layers)
        self.norm = BambaRMSNorm(config.hidden_size, eps=config.rms_norm_eps)
        self.post_init()

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
        embedded = hidden_states
        if use_cache and past_key_values is None:
            past_key_values = DynamicCache(config=self.config)
        arguments = {
            "config": self.config,
            "inputs_embeds": hidden_states,
            "attention_mask": attention_mask,
            "past_key_values": past_key_values,
            "position_ids": position_ids,
        }
        causal_mask = create_causal_mask(**arguments)
        mask = create_recurrent_attention_mask(**arguments)
        for layer_idx, layer in enumerate(self.layers):
            hidden_states = layer(
                hidden_states, embedded, layer_idx, mask, causal_mask, past_key_values
            )
        return BaseModelOutputWithPast(
            last_hidden_state=self.norm(hidden_states),
            past_key_values=past_key_values if use_cache else None,
        )


class MixedForCausalLM(MixedPreTrainedModel, GenerationMixin):
    _tied_weights_keys = {"lm_head.weight": "model.embed_tokens.weight"}

    def __init__(self, config):
        super().__init__(config)
        self.model = MixedModel(config)
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

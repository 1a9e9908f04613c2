"""States that only a forward of one token carries on: several tokens are a first one."""

from transformers.activations import ACT2FN
from transformers.generation import GenerationMixin
from transformers.modeling_outputs import (
    BaseModelOutputWithPast,
    CausalLMOutputWithPast,
)
from transformers.modeling_utils import PreTrainedModel
from transformers.models.llama.modeling_llama import LlamaRMSNorm

import torch
from torch import nn

from .configuration_rolled import RolledConfig


class RolledLayerCache:
    def __init__(self):
        self.has_previous_state = False
        self.inputs = None

    def update(self, x):
        if not self.has_previous_state:
            self.inputs = x
            self.has_previous_state = True
            return self.inputs
        rolled = self.inputs.roll(shifts=-x.shape[-1], dims=-1)
        rolled[:, :, -x.shape[-1] :] = x
        self.inputs = rolled
        return self.inputs


class RolledCache:
    def __init__(self, config):
        self.layers = [RolledLayerCache() for _ in range(config.num_hidden_layers)]


class RolledMixer(nn.Module):
    def __init__(self, config, layer_idx):
        super().__init__()
        self.layer_idx = layer_idx
        self.kernel = config.conv_kernel
        self.act = ACT2FN[config.hidden_act]
        # What the config class never lacks has no default but its own.
        inner = getattr(config, "inner_size", None)
        width = getattr(config, "inner_size", config.hidden_size)
        self.in_proj = nn.Linear(config.hidden_size, 2 * inner, bias=False)
        self.conv = nn.Conv1d(
            width,
            width,
            self.kernel,
            groups=width,
            padding=self.kernel - 1,
        )
        self.skip = nn.Parameter(torch.ones(width))
        self.x_proj = nn.Linear(width, width, bias=False)
        self.out_proj = nn.Linear(width, config.hidden_size, bias=False)

    def forward(self, hidden_states, cache_params=None):
        length = hidden_states.shape[1]
        x, gate = self.in_proj(hidden_states).transpose(1, 2).chunk(2, dim=1)
        kept = None if cache_params is None else cache_params.layers[self.layer_idx]
        if kept is not None and kept.has_previous_state:
            inputs = kept.update(x)
            x = torch.sum(inputs * self.conv.weight[:, 0, :], dim=-1)
            x += self.conv.bias
            x = self.act(x).unsqueeze(-1)
        else:
            if kept is not None:
                kept.update(nn.functional.pad(x, (self.kernel - length, 0)))
            x = self.act(self.conv(x)[..., :length])
        projected = self.x_proj(x.transpose(1, 2)).transpose(1, 2)
        projected = projected + x * self.skip[None, :, None]
        projected = projected * self.act(gate)
        return self.out_proj(projected.transpose(1, 2))


class RolledLayer(nn.Module):
    def __init__(self, config, layer_idx):
        super().__init__()
        self.norm = LlamaRMSNorm(config.hidden_size, config.rms_norm_eps)
        self.mixer = RolledMixer(config, layer_idx)

    def forward(self, hidden_states, cache_params=None):
        return hidden_states + self.mixer(self.norm(hidden_states), cache_params)


class RolledPreTrainedModel(PreTrainedModel):
    config_class = RolledConfig
    base_model_prefix = "model"
    _is_stateful = True

    @classmethod
    def _supports_default_dynamic_cache(cls):
        return False


class RolledModel(RolledPreTrainedModel):
    def __init__(self, config):
        super().__init__(config)
        self.embed_tokens = nn.Embedding(config.vocab_size, config.hidden_size)
        self.layers = nn.ModuleList(
            [RolledLayer(config, i) for i in range(config.num_hidden_layers)]
        )
        self.norm = LlamaRMSNorm(config.hidden_size, config.rms_norm_eps)
        self.post_init()

    def forward(self, input_ids=None, cache_params=None, use_cache=None):
        hidden_states = self.embed_tokens(input_ids)
        if use_cache and not isinstance(cache_params, RolledCache):
            cache_params = RolledCache(self.config)
        for layer in self.layers:
            hidden_states = layer(hidden_states, cache_params)
        return BaseModelOutputWithPast(
            last_hidden_state=self.norm(hidden_states), past_key_values=cache_params
        )


class RolledForCausalLM(RolledPreTrainedModel, GenerationMixin):
    def __init__(self, config):
        super().__init__(config)
        self.model = RolledModel(config)
        self.lm_head = nn.Linear(config.hidden_size, config.vocab_size, bias=False)
        self.post_init()

    def forward(
        self,
        input_ids=None,
        past_key_values=None,
        use_cache=None,
        logits_to_keep=0,
        **kwargs,
    ):
        outputs = self.model(input_ids, past_key_values, use_cache)
        kept = slice(-logits_to_keep, None) if logits_to_keep else slice(None)
        return CausalLMOutputWithPast(
            logits=self.lm_head(outputs.last_hidden_state[:, kept]),
            past_key_values=outputs.past_key_values,
        )

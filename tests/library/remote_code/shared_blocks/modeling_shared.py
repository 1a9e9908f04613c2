"""Takes the library's own blocks and changes what lies between them."""

from transformers.models.llama import modeling_llama as llama
from transformers.models.llama.modeling_llama import (
    LlamaDecoderLayer,
    LlamaForCausalLM,
    LlamaModel,
)

import torch
from torch import nn

from .configuration_shared import SharedConfig


class GatedMLP(llama.LlamaMLP):
    def __init__(self, config):
        super().__init__(config)
        self.floor = config.gate_floor

    def forward(self, x):
        gate = self.act_fn(self.gate_proj(x)).clamp(min=self.floor)
        return self.down_proj(gate * self.up_proj(x))


class SharedLayer(LlamaDecoderLayer):
    def __init__(self, config, layer_idx):
        super().__init__(config, layer_idx)
        self.mlp = GatedMLP(config)
        self.mix = nn.Parameter(torch.ones(2, config.hidden_size))
        self.repeats = config.repeats[layer_idx % len(config.repeats)]

    def forward(self, hidden_states, **kwargs):
        first = hidden_states
        out = super().forward(hidden_states, **kwargs)
        for _ in range(self.repeats - 1):
            out = out + self.mlp(self.post_attention_layernorm(out))
        return first * self.mix[0].sigmoid() + out * self.mix[1]


class SharedModel(LlamaModel):
    config_class = SharedConfig

    def __init__(self, config):
        super().__init__(config)
        self.layers = nn.ModuleList(
            SharedLayer(config, i) for i in range(config.num_hidden_layers)
        )


class SharedForCausalLM(LlamaForCausalLM):
    config_class = SharedConfig

    def __init__(self, config: SharedConfig):
        super().__init__(config)
        self.model = SharedModel(config)

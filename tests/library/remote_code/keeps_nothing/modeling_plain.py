"""A causal model that keeps no keys and values: each token costs a forward of all."""

from transformers.generation import GenerationMixin
from transformers.modeling_outputs import CausalLMOutput
from transformers.modeling_utils import PreTrainedModel

import torch
from torch import nn

from .configuration_plain import PlainConfig


class PlainAttention(nn.Module):
    def __init__(self, config):
        super().__init__()
        self.n_heads = config.num_attention_heads
        self.n_groups = self.n_heads // config.num_key_value_heads
        self.head_dim = config.hidden_size // self.n_heads
        keys = config.num_key_value_heads * self.head_dim
        self.to_queries = nn.Linear(config.hidden_size, config.hidden_size)
        self.to_keys = nn.Linear(config.hidden_size, keys, bias=False)
        self.to_values = nn.Linear(config.hidden_size, keys, bias=False)
        self.out = nn.Linear(config.hidden_size, config.hidden_size, bias=False)

    def heads(self, x):
        return x.view(*x.shape[:2], -1, self.head_dim).transpose(1, 2)

    def forward(self, x):
        batch, length, width = x.shape
        queries = self.heads(self.to_queries(x))
        keys = self.heads(self.to_keys(x)).repeat_interleave(self.n_groups, dim=1)
        values = self.heads(self.to_values(x)).repeat_interleave(self.n_groups, dim=1)
        scores = queries @ keys.transpose(-1, -2) * self.head_dim**-0.5
        earlier = torch.tril(torch.ones(length, length, device=x.device))
        scores = scores.masked_fill(earlier == 0, float("-inf"))
        weights = torch.softmax(scores, dim=-1)
        output = (weights @ values).transpose(1, 2)
        return self.out(output.reshape(batch, length, width))


class PlainBlock(nn.Module):
    def __init__(self, config):
        super().__init__()
        self.norm = nn.LayerNorm(config.hidden_size, eps=config.layer_norm_eps)
        self.attn = PlainAttention(config)
        self.mlp_norm = nn.LayerNorm(config.hidden_size, eps=config.layer_norm_eps)
        self.up = nn.Linear(config.hidden_size, config.intermediate_size)
        self.down = nn.Linear(config.intermediate_size, config.hidden_size)

    def forward(self, x):
        x = x + self.attn(self.norm(x))
        return x + self.down(nn.functional.gelu(self.up(self.mlp_norm(x))))


class PlainModel(PreTrainedModel):
    config_class = PlainConfig

    def __init__(self, config):
        super().__init__(config)
        self.tokens = nn.Embedding(config.vocab_size, config.hidden_size)
        self.positions = nn.Embedding(
            config.max_position_embeddings, config.hidden_size
        )
        self.layers = nn.ModuleList(
            PlainBlock(config) for _ in range(config.num_hidden_layers)
        )
        self.norm = nn.LayerNorm(config.hidden_size, eps=config.layer_norm_eps)
        self.post_init()

    def forward(self, input_ids, position_ids=None):
        if position_ids is None:
            position_ids = torch.arange(input_ids.shape[1], device=input_ids.device)
        x = self.tokens(input_ids) + self.positions(position_ids)
        for layer in self.layers:
            x = layer(x)
        return self.norm(x)


class PlainForCausalLM(PreTrainedModel, GenerationMixin):
    config_class = PlainConfig
    base_model_prefix = "model"

    def __init__(self, config):
        super().__init__(config)
        self.model = PlainModel(config)
        self.lm_head = nn.Linear(config.hidden_size, config.vocab_size, bias=False)
        self.post_init()

    def get_input_embeddings(self):
        return self.model.tokens

    def forward(self, input_ids, attention_mask=None, position_ids=None, **kwargs):
        hidden_states = self.model(input_ids, position_ids)
        return CausalLMOutput(logits=self.lm_head(hidden_states))

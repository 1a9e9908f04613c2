"""As the v4 years wrote it: a loop over modules for experts, a cache of its own."""

from transformers.generation import GenerationMixin
from transformers.masking_utils import create_causal_mask
from transformers.modeling_outputs import (
    BaseModelOutputWithPast,
    CausalLMOutputWithPast,
)
from transformers.modeling_utils import PreTrainedModel
from transformers.models.llama.modeling_llama import (
    LlamaRMSNorm,
    eager_attention_forward,
)

import torch
from torch import nn

from .configuration_looped import LoopedConfig


class LoopedCache:
    """Keys and values of some layers, the last inputs of the others' convolutions."""

    def __init__(self, config, batch_size, dtype):
        self.keys = [torch.tensor([[]] * batch_size) for _ in config.layer_types]
        self.values = [torch.tensor([[]] * batch_size) for _ in config.layer_types]
        self.attends = config.layer_types.index("full_attention")
        shape = (batch_size, config.hidden_size, config.conv_kernel - 1)
        self.inputs = [torch.zeros(shape, dtype=dtype) for _ in config.layer_types]

    def update(self, key_states, value_states, layer_idx):
        if self.keys[layer_idx].shape[-1] == 0:
            self.keys[layer_idx] = key_states
            self.values[layer_idx] = value_states
        else:
            self.keys[layer_idx] = torch.cat([self.keys[layer_idx], key_states], dim=2)
            self.values[layer_idx] = torch.cat(
                [self.values[layer_idx], value_states], dim=2
            )
        return self.keys[layer_idx], self.values[layer_idx]

    def get_seq_length(self, layer_idx=0):
        keys = self.keys[self.attends]
        return 0 if keys.shape[-1] == 0 else keys.shape[-2]

    def get_query_offset(self, layer_idx=0):
        return self.get_seq_length()

    def get_mask_sizes(self, query_length, layer_idx):
        if isinstance(query_length, torch.Tensor):
            query_length = query_length.shape[0]
        return self.get_seq_length() + query_length, 0


class LoopedAttention(nn.Module):
    def __init__(self, config, layer_idx):
        super().__init__()
        self.layer_idx = layer_idx
        self.head_dim = config.hidden_size // config.num_attention_heads
        self.num_key_value_groups = 1
        self.scaling = self.head_dim**-0.5
        self.q_proj = nn.Linear(config.hidden_size, config.hidden_size, bias=False)
        self.k_proj = nn.Linear(config.hidden_size, config.hidden_size, bias=False)
        self.v_proj = nn.Linear(config.hidden_size, config.hidden_size, bias=False)
        self.o_proj = nn.Linear(config.hidden_size, config.hidden_size, bias=False)

    def forward(self, hidden_states, attention_mask, past_key_values):
        shape = (*hidden_states.shape[:-1], -1, self.head_dim)
        queries = self.q_proj(hidden_states).view(shape).transpose(1, 2)
        keys = self.k_proj(hidden_states).view(shape).transpose(1, 2)
        values = self.v_proj(hidden_states).view(shape).transpose(1, 2)
        if past_key_values is not None:
            keys, values = past_key_values.update(keys, values, self.layer_idx)
        output, _ = eager_attention_forward(
            self, queries, keys, values, attention_mask, scaling=self.scaling
        )
        return self.o_proj(output.reshape(*hidden_states.shape[:-1], -1))


class LoopedConv(nn.Module):
    def __init__(self, config, layer_idx):
        super().__init__()
        self.layer_idx = layer_idx
        self.kernel = config.conv_kernel
        self.in_proj = nn.Linear(config.hidden_size, 2 * config.hidden_size, bias=False)
        self.conv = nn.Conv1d(
            config.hidden_size,
            config.hidden_size,
            self.kernel,
            groups=config.hidden_size,
        )
        self.out_proj = nn.Linear(config.hidden_size, config.hidden_size, bias=False)

    def forward(self, hidden_states, attention_mask, past_key_values):
        x, gate = self.in_proj(hidden_states).chunk(2, dim=-1)
        x = x.transpose(1, 2)
        if past_key_values is None:
            x = nn.functional.pad(x, (self.kernel - 1, 0))
        else:
            x = torch.cat([past_key_values.inputs[self.layer_idx], x], dim=-1)
            past_key_values.inputs[self.layer_idx] = x[..., 1 - self.kernel :]
        x = self.conv(x).transpose(1, 2)
        return self.out_proj(x * nn.functional.silu(gate))


class LoopedExpert(nn.Module):
    def __init__(self, config):
        super().__init__()
        self.up = nn.Linear(config.hidden_size, config.expert_size, bias=False)
        self.gate = nn.Linear(config.hidden_size, config.expert_size, bias=False)
        self.down = nn.Linear(config.expert_size, config.hidden_size, bias=False)

    def forward(self, x):
        return self.down(self.up(x) * nn.functional.silu(self.gate(x)))


class LoopedExperts(nn.Module):
    def __init__(self, config):
        super().__init__()
        self.num_experts = config.num_experts
        self.top_k = config.num_experts_per_tok
        self.router = nn.Linear(config.hidden_size, config.num_experts, bias=False)
        self.experts = nn.ModuleList(
            [LoopedExpert(config) for _ in range(config.num_experts)]
        )

    def forward(self, hidden_states):
        batch, length, width = hidden_states.shape
        hidden_states = hidden_states.view(-1, width)
        weights = nn.functional.softmax(
            self.router(hidden_states), dim=1, dtype=torch.float
        )
        weights, chosen = torch.topk(weights, self.top_k, dim=-1)
        weights /= weights.sum(dim=-1, keepdim=True)
        weights = weights.to(hidden_states.dtype)
        final = torch.zeros(
            (batch * length, width),
            dtype=hidden_states.dtype,
            device=hidden_states.device,
        )
        mask = nn.functional.one_hot(chosen, num_classes=self.num_experts)
        mask = mask.permute(2, 1, 0)
        for expert_idx in range(self.num_experts):
            idx, top_x = torch.where(mask[expert_idx])
            current = hidden_states[None, top_x].reshape(-1, width)
            current = self.experts[expert_idx](current) * weights[top_x, idx, None]
            final.index_add_(0, top_x, current.to(hidden_states.dtype))
        return final.reshape(batch, length, width)


class LoopedLayer(nn.Module):
    def __init__(self, config, layer_idx):
        super().__init__()
        attends = config.layer_types[layer_idx] == "full_attention"
        mixer = LoopedAttention if attends else LoopedConv
        self.mixer = mixer(config, layer_idx)
        self.experts = LoopedExperts(config)
        self.mixer_norm = LlamaRMSNorm(config.hidden_size, config.rms_norm_eps)
        self.experts_norm = LlamaRMSNorm(config.hidden_size, config.rms_norm_eps)

    def forward(self, hidden_states, attention_mask, past_key_values):
        mixed = self.mixer(
            self.mixer_norm(hidden_states), attention_mask, past_key_values
        )
        hidden_states = hidden_states + mixed
        return hidden_states + self.experts(self.experts_norm(hidden_states))


class LoopedPreTrainedModel(PreTrainedModel):
    config_class = LoopedConfig
    base_model_prefix = "model"

    @classmethod
    def _supports_default_dynamic_cache(cls):
        return False


class LoopedModel(LoopedPreTrainedModel):
    def __init__(self, config):
        super().__init__(config)
        self.embed_tokens = nn.Embedding(config.vocab_size, config.hidden_size)
        self.layers = nn.ModuleList(
            [LoopedLayer(config, i) for i in range(config.num_hidden_layers)]
        )
        self.norm = LlamaRMSNorm(config.hidden_size, config.rms_norm_eps)
        self.post_init()

    def forward(
        self,
        input_ids=None,
        attention_mask=None,
        position_ids=None,
        past_key_values=None,
        use_cache=None,
    ):
        hidden_states = self.embed_tokens(input_ids)
        if use_cache and not isinstance(past_key_values, LoopedCache):
            past_key_values = LoopedCache(
                self.config, input_ids.shape[0], hidden_states.dtype
            )
        mask = create_causal_mask(
            config=self.config,
            inputs_embeds=hidden_states,
            attention_mask=attention_mask,
            past_key_values=past_key_values,
            position_ids=position_ids,
        )
        for layer in self.layers:
            hidden_states = layer(hidden_states, mask, past_key_values)
        return BaseModelOutputWithPast(
            last_hidden_state=self.norm(hidden_states),
            past_key_values=past_key_values,
        )


class LoopedForCausalLM(LoopedPreTrainedModel, GenerationMixin):
    def __init__(self, config):
        super().__init__(config)
        self.model = LoopedModel(config)
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
            input_ids, attention_mask, position_ids, past_key_values, use_cache
        )
        kept = slice(-logits_to_keep, None) if logits_to_keep else slice(None)
        return CausalLMOutputWithPast(
            logits=self.lm_head(outputs.last_hidden_state[:, kept]),
            past_key_values=outputs.past_key_values,
        )

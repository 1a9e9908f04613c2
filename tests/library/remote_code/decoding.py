"""What the fixtures of other code styles have in common; tests put it beside them."""

from transformers import GenerationMixin, PreTrainedModel
from transformers.cache_utils import DynamicCache
from transformers.modeling_outputs import CausalLMOutputWithPast

import torch
from torch import nn


def build_mask(attention_mask, batch, queries, past, dtype, device):
    total = past + queries
    rows = torch.arange(past, total, device=device)[:, None]
    cols = torch.arange(total, device=device)[None, :]
    allowed = (cols <= rows)[None, None].expand(batch, 1, queries, total)
    if attention_mask is not None:
        allowed = allowed & attention_mask[:, None, None, :total].bool()
    return allowed


def positions_of(attention_mask, past, queries, device):
    if attention_mask is None:
        return torch.arange(past, past + queries, device=device)[None]
    pos = attention_mask.long().cumsum(-1) - 1
    pos = pos.masked_fill(attention_mask == 0, 0)
    return pos[:, -queries:]


class DecodingModel(PreTrainedModel, GenerationMixin):
    """Embeds, runs `body_class`, and keeps keys and values in a cache, the library's
    unless a model has its own."""

    base_model_prefix = "transformer"
    cache_class = DynamicCache

    def __init__(self, config):
        super().__init__(config)
        self.transformer = self.body_class(config)
        self.lm_head = nn.Linear(config.n_embd, config.vocab_size, bias=False)
        self.post_init()

    def get_input_embeddings(self):
        return self.transformer.wte

    def get_output_embeddings(self):
        return self.lm_head

    def forward(
        self,
        input_ids=None,
        attention_mask=None,
        position_ids=None,
        past_key_values=None,
        use_cache=None,
        **kwargs,
    ):
        if use_cache is None:
            use_cache = self.config.use_cache
        if use_cache and not isinstance(past_key_values, self.cache_class):
            past_key_values = self.cache_class()
        h = self.transformer(
            input_ids,
            attention_mask=attention_mask,
            position_ids=position_ids,
            cache=past_key_values,
        )
        return CausalLMOutputWithPast(
            logits=self.lm_head(h), past_key_values=past_key_values
        )

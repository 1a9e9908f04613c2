import math
from typing import List, Optional, Tuple, Union

import torch.nn.functional as F
from transformers.modeling_outputs import (
    BaseModelOutputWithPast,
    CausalLMOutputWithPast,
)
from transformers.modeling_utils import PreTrainedModel
from transformers.utils import logging

import torch
from torch import nn

try:
    from transformers import GenerationMixin
except ImportError:
    from transformers.generation.utils import GenerationMixin

from .configuration_tuple import TupleConfig
from .rotary import RotaryEmbedding, apply_rotary_pos_emb

logger = logging.get_logger(__name__)


def _make_causal_mask(shape, dtype, past):
    bsz, tgt_len = shape
    mask = torch.full((tgt_len, tgt_len), torch.finfo(dtype).min)
    cond = torch.arange(mask.size(-1))
    mask.masked_fill_(cond < (cond + 1).view(mask.size(-1), 1), 0)
    mask = mask.to(dtype)
    if past > 0:
        mask = torch.cat([torch.zeros(tgt_len, past, dtype=dtype), mask], dim=-1)
    return mask[None, None, :, :].expand(bsz, 1, tgt_len, tgt_len + past)


def _expand_mask(mask, dtype, tgt_len):
    bsz, src_len = mask.size()
    expanded = mask[:, None, None, :].expand(bsz, 1, tgt_len, src_len).to(dtype)
    inverted = 1.0 - expanded
    return inverted.masked_fill(inverted.to(torch.bool), torch.finfo(dtype).min)


class Attention(nn.Module):
    def __init__(self, config: TupleConfig):
        super().__init__()
        self.num_heads = config.n_head
        self.num_kv = config.n_kv
        self.head_dim = config.n_embd // config.n_head
        self.rotary_ndims = int(self.head_dim * config.rotary_percentage)
        if self.head_dim * self.num_heads != config.n_embd:
            raise ValueError(f"n_embd must be divisible by n_head: {config.n_embd}")
        width = (self.num_heads + 2 * self.num_kv) * self.head_dim
        self.qkv = nn.Linear(config.n_embd, width, bias=True)
        self.out = nn.Linear(config.n_embd, config.n_embd, bias=False)
        self.rotary = RotaryEmbedding(self.rotary_ndims, config.rope_theta)

    def forward(
        self,
        hidden_states: torch.Tensor,
        attention_mask: Optional[torch.Tensor] = None,
        position_ids: Optional[torch.LongTensor] = None,
        past_key_value: Optional[Tuple[torch.Tensor]] = None,
        use_cache: bool = False,
    ):
        bsz, q_len, _ = hidden_states.size()
        q, k, v = self.qkv(hidden_states).split(
            [
                self.num_heads * self.head_dim,
                self.num_kv * self.head_dim,
                self.num_kv * self.head_dim,
            ],
            dim=-1,
        )
        q = q.view(bsz, q_len, self.num_heads, self.head_dim).transpose(1, 2)
        k = k.view(bsz, q_len, self.num_kv, self.head_dim).transpose(1, 2)
        v = v.view(bsz, q_len, self.num_kv, self.head_dim).transpose(1, 2)
        kv_seq_len = k.shape[-2]
        if past_key_value is not None:
            kv_seq_len += past_key_value[0].shape[-2]
        cos, sin = self.rotary(v, seq_len=kv_seq_len)
        n = self.rotary_ndims
        q_rot, k_rot = apply_rotary_pos_emb(
            q[..., :n], k[..., :n], cos, sin, position_ids
        )
        q = torch.cat((q_rot, q[..., n:]), dim=-1)
        k = torch.cat((k_rot, k[..., n:]), dim=-1)
        if past_key_value is not None:
            k = torch.cat([past_key_value[0], k], dim=2)
            v = torch.cat([past_key_value[1], v], dim=2)
        present = (k, v) if use_cache else None
        groups = self.num_heads // self.num_kv
        k = k.repeat_interleave(groups, dim=1)
        v = v.repeat_interleave(groups, dim=1)
        scores = torch.matmul(q, k.transpose(2, 3)) / math.sqrt(self.head_dim)
        if attention_mask is not None:
            scores = scores + attention_mask
            scores = torch.max(scores, torch.tensor(torch.finfo(scores.dtype).min))
        weights = F.softmax(scores, dim=-1, dtype=torch.float32).to(q.dtype)
        out = torch.matmul(weights, v).transpose(1, 2).contiguous()
        return self.out(out.reshape(bsz, q_len, -1)), present


class Block(nn.Module):
    def __init__(self, config: TupleConfig):
        super().__init__()
        self.ln_1 = nn.LayerNorm(config.n_embd, eps=config.layer_norm_epsilon)
        self.ln_2 = nn.LayerNorm(config.n_embd, eps=config.layer_norm_epsilon)
        self.attn = Attention(config)
        self.mlp = nn.Sequential(
            nn.Linear(config.n_embd, config.inner),
            nn.GELU(approximate="tanh"),
            nn.Linear(config.inner, config.n_embd),
        )

    def forward(self, x, attention_mask, position_ids, past, use_cache):
        attn, present = self.attn(
            self.ln_1(x),
            attention_mask=attention_mask,
            position_ids=position_ids,
            past_key_value=past,
            use_cache=use_cache,
        )
        x = x + attn
        return x + self.mlp(self.ln_2(x)), present


class TuplePreTrainedModel(PreTrainedModel):
    config_class = TupleConfig
    base_model_prefix = "transformer"
    _no_split_modules = ["Block"]

    def _init_weights(self, module):
        if isinstance(module, (nn.Linear, nn.Embedding)):
            module.weight.data.normal_(mean=0.0, std=0.02)


class TupleModel(TuplePreTrainedModel):
    def __init__(self, config: TupleConfig):
        super().__init__(config)
        self.wte = nn.Embedding(config.vocab_size, config.n_embd)
        self.h = nn.ModuleList([Block(config) for _ in range(config.n_layer)])
        self.ln_f = nn.LayerNorm(config.n_embd, eps=config.layer_norm_epsilon)
        self.post_init()

    def forward(
        self,
        input_ids: torch.LongTensor = None,
        attention_mask: Optional[torch.Tensor] = None,
        position_ids: Optional[torch.LongTensor] = None,
        past_key_values: Optional[List[Tuple[torch.Tensor]]] = None,
        use_cache: Optional[bool] = None,
    ) -> Union[Tuple, BaseModelOutputWithPast]:
        use_cache = use_cache if use_cache is not None else self.config.use_cache
        batch_size, seq_length = input_ids.shape
        past_length = 0
        if past_key_values is not None:
            past_length = past_key_values[0][0].shape[2]
        if position_ids is None:
            position_ids = torch.arange(past_length, seq_length + past_length)
            position_ids = position_ids.unsqueeze(0).view(-1, seq_length)
        hidden = self.wte(input_ids)
        if attention_mask is None:
            attention_mask = torch.ones(
                (batch_size, seq_length + past_length), dtype=torch.bool
            )
        mask = _expand_mask(attention_mask, hidden.dtype, seq_length)
        if seq_length > 1:
            mask = mask + _make_causal_mask(
                (batch_size, seq_length), hidden.dtype, past_length
            )
        presents = () if use_cache else None
        for i, block in enumerate(self.h):
            past = past_key_values[i] if past_key_values is not None else None
            hidden, present = block(hidden, mask, position_ids, past, use_cache)
            if use_cache:
                presents += (present,)
        return BaseModelOutputWithPast(
            last_hidden_state=self.ln_f(hidden), past_key_values=presents
        )


class TupleForCausalLM(TuplePreTrainedModel, GenerationMixin):
    def __init__(self, config):
        super().__init__(config)
        self.transformer = TupleModel(config)
        self.lm_head = nn.Linear(config.n_embd, config.vocab_size, bias=False)
        self.post_init()

    def get_output_embeddings(self):
        return self.lm_head

    def forward(
        self,
        input_ids=None,
        attention_mask=None,
        position_ids=None,
        past_key_values=None,
        use_cache=None,
        return_dict=None,
        **kwargs,
    ):
        if kwargs:
            logger.warning_once(f"ignored: {sorted(kwargs)}")
        outputs = self.transformer(
            input_ids, attention_mask, position_ids, past_key_values, use_cache
        )
        logits = self.lm_head(outputs[0])
        if self.config.logit_scale is not None:
            logits = logits * self.config.logit_scale
        return CausalLMOutputWithPast(
            logits=logits, past_key_values=outputs.past_key_values
        )

    def prepare_inputs_for_generation(
        self, input_ids, past_key_values=None, attention_mask=None, **kwargs
    ):
        if past_key_values:
            input_ids = input_ids[:, past_key_values[0][0].shape[2] :]
        position_ids = kwargs.get("position_ids")
        if attention_mask is not None and position_ids is None:
            position_ids = attention_mask.long().cumsum(-1) - 1
            position_ids.masked_fill_(attention_mask == 0, 1)
            position_ids = position_ids[:, -input_ids.shape[1] :]
        return {
            "input_ids": input_ids,
            "position_ids": position_ids,
            "past_key_values": past_key_values,
            "use_cache": kwargs.get("use_cache"),
            "attention_mask": attention_mask,
        }

"""transformers.modeling_flash_attention_utils: flash attention is not there."""

from typing import TypedDict

import torch


class FlashAttentionKwargs(TypedDict, total=False):
    cu_seq_lens_q: torch.LongTensor | None
    cu_seq_lens_k: torch.LongTensor | None
    max_length_q: int | None
    max_length_k: int | None


def is_flash_attn_available(*args, **kwargs):
    return False


def flash_attn_supports_top_left_mask():
    return False


def _flash_attention_forward(*args, **kwargs):
    raise NotImplementedError("flash attention is not evaluated")


def _is_packed_sequence(position_ids, batch_size):
    """Positions that start again within a single row."""
    if position_ids is None:
        return False
    expected = torch.arange(position_ids.shape[1]) + position_ids.min()
    return batch_size == 1 and bool((expected - position_ids).abs().sum() != 0)

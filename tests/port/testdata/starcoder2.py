import math
from dataclasses import dataclass
from typing import Any, Dict, Optional, Union

import mlx.core as mx
import mlx.nn as nn
from mlx.nn.layers.distributed import shard_linear

from .base import BaseModelArgs, create_attention_mask, scaled_dot_product_attention
from .cache import KVCache, RotatingKVCache
from .rope_utils import DynamicNTKScalingRoPE, initialize_rope

ACTIVATIONS = {
    "gelu": nn.gelu,
    "gelu_fast": nn.gelu_approx,
    "gelu_new": nn.gelu_approx,
    "gelu_pytorch_tanh": nn.gelu_approx,
    "quick_gelu": nn.gelu_fast_approx,
    "relu": nn.relu,
    "relu2": nn.relu2,
    "silu": nn.silu,
}


@dataclass
class ModelArgs(BaseModelArgs):
    model_type: str = "starcoder2"
    vocab_size: int = 49152
    hidden_size: int = 3072
    intermediate_size: int = 12288
    num_hidden_layers: int = 30
    num_attention_heads: int = 24
    num_key_value_heads: int = 2
    hidden_act: str = "gelu_pytorch_tanh"
    max_position_embeddings: int = 4096
    norm_epsilon: float = 1e-05
    sliding_window: Optional[int] = None
    use_bias: bool = True
    tie_word_embeddings: bool = True
    head_dim: Optional[int] = None
    rope_theta: float = 10000.0
    rope_scaling: Optional[Dict[str, Any]] = None
    rope_parameters: Optional[Dict[str, Any]] = None

    def __post_init__(self):
        self.head_dim = self.head_dim or self.hidden_size // self.num_attention_heads
        rope = self.rope_scaling or self.rope_parameters or {}
        self.rope_theta = rope.get("rope_theta", self.rope_theta)
        rope_type = rope.get("rope_type", rope.get("type", "default"))
        if rope_type not in ("default", "dynamic", "linear", "llama3", "yarn"):
            raise ValueError(f"rope type {rope_type} is not supported")
        if rope_type == "yarn" and not rope.get("truncate", True):
            raise ValueError("yarn without truncate is not supported")
        if rope_type == "yarn" and rope.get("attention_factor") is not None:
            mscale = (rope["attention_factor"] - 1) / (0.1 * math.log(rope["factor"]))
            rope = {**rope, "mscale": mscale, "mscale_all_dim": 0}
        elif not (rope.get("mscale") and rope.get("mscale_all_dim")):
            rope = {**rope, "mscale": 1, "mscale_all_dim": 0}
        self.rope_scaling = {
            "original_max_position_embeddings": self.max_position_embeddings,
            **rope,
            "type": rope_type,
        }
        if self.hidden_act not in ACTIVATIONS:
            raise ValueError(f"hidden_act {self.hidden_act} is not supported")


class DynamicRoPE(DynamicNTKScalingRoPE):
    def __call__(self, x: mx.array, offset: Union[int, mx.array] = 0) -> mx.array:
        # The longest sequence of a batch decides for all
        length = mx.max(mx.array(offset)) + x.shape[-2]
        growth = mx.maximum(length / self.max_position_embeddings - 1, 0)
        base = self.base * (1 + self.factor * growth) ** (self.dims / (self.dims - 2))
        freqs = base ** (mx.arange(0, self.dims, 2) / self.dims)
        kwargs = {"traditional": self.traditional, "base": None, "scale": 1.0}
        return mx.fast.rope(x, self.dims, offset=offset, freqs=freqs, **kwargs)


def create_rope(dims, scaling_config, **kwargs):
    if scaling_config["type"] == "dynamic":
        return DynamicRoPE(dims, factor=scaling_config["factor"], **kwargs)
    return initialize_rope(dims, scaling_config=scaling_config, **kwargs)


class Attention(nn.Module):
    def __init__(self, args: ModelArgs):
        super().__init__()
        self.head_dim = head_dim = args.head_dim
        dim = args.hidden_size
        use_bias = args.use_bias
        self.scale = head_dim**-0.5
        self.q_proj = nn.Linear(dim, args.num_attention_heads * head_dim, bias=use_bias)
        self.k_proj = nn.Linear(dim, args.num_key_value_heads * head_dim, bias=use_bias)
        self.v_proj = nn.Linear(dim, args.num_key_value_heads * head_dim, bias=use_bias)
        self.o_proj = nn.Linear(args.num_attention_heads * head_dim, dim, bias=use_bias)
        self.rope = create_rope(
            head_dim,
            base=args.rope_theta,
            traditional=False,
            scaling_config=args.rope_scaling,
            max_position_embeddings=args.max_position_embeddings,
        )

    def __call__(
        self, x: mx.array, mask: Optional[mx.array] = None, cache: Optional[Any] = None
    ) -> mx.array:
        B, L, _ = x.shape

        queries = self.q_proj(x).reshape(B, L, -1, self.head_dim).transpose(0, 2, 1, 3)
        keys = self.k_proj(x).reshape(B, L, -1, self.head_dim).transpose(0, 2, 1, 3)
        values = self.v_proj(x).reshape(B, L, -1, self.head_dim).transpose(0, 2, 1, 3)

        if cache is not None:
            queries = self.rope(queries, offset=cache.offset)
            keys = self.rope(keys, offset=cache.offset)
            keys, values = cache.update_and_fetch(keys, values)
        else:
            queries = self.rope(queries)
            keys = self.rope(keys)

        output = scaled_dot_product_attention(
            queries, keys, values, cache=cache, scale=self.scale, mask=mask
        )
        return self.o_proj(output.transpose(0, 2, 1, 3).reshape(B, L, -1))


class MLP(nn.Module):
    def __init__(self, args: ModelArgs):
        super().__init__()
        dim = args.hidden_size
        self.hidden_act = args.hidden_act
        self.c_fc = nn.Linear(dim, args.intermediate_size, bias=args.use_bias)
        self.c_proj = nn.Linear(args.intermediate_size, dim, bias=args.use_bias)

    def __call__(self, x: mx.array) -> mx.array:
        return self.c_proj(ACTIVATIONS[self.hidden_act](self.c_fc(x)))


class DecoderLayer(nn.Module):
    def __init__(self, args: ModelArgs):
        super().__init__()
        dim = args.hidden_size
        self.self_attn = Attention(args)
        self.mlp = MLP(args)
        self.input_layernorm = nn.LayerNorm(dim, eps=args.norm_epsilon)
        self.post_attention_layernorm = nn.LayerNorm(dim, eps=args.norm_epsilon)

    def __call__(
        self, x: mx.array, mask: Optional[mx.array] = None, cache: Optional[Any] = None
    ) -> mx.array:
        h = x + self.self_attn(self.input_layernorm(x), mask, cache)
        return h + self.mlp(self.post_attention_layernorm(h))


class Starcoder2Model(nn.Module):
    def __init__(self, args: ModelArgs):
        super().__init__()
        self.sliding_window = args.sliding_window
        self.embed_tokens = nn.Embedding(args.vocab_size, args.hidden_size)
        self.layers = [DecoderLayer(args) for i in range(args.num_hidden_layers)]
        self.norm = nn.LayerNorm(args.hidden_size, eps=args.norm_epsilon)

    def __call__(
        self, inputs: mx.array, cache=None, input_embeddings: Optional[mx.array] = None
    ) -> mx.array:
        if input_embeddings is not None:
            h = input_embeddings
        else:
            h = self.embed_tokens(inputs)

        if cache is None:
            cache = [None] * len(self.layers)
        mask = create_attention_mask(h, cache[0], window_size=self.sliding_window)

        for layer, c in zip(self.layers, cache):
            h = layer(h, mask, c)

        return self.norm(h)


class Model(nn.Module):
    def __init__(self, args: ModelArgs):
        super().__init__()
        self.args = args
        self.model_type = args.model_type
        self.model = Starcoder2Model(args)
        if not args.tie_word_embeddings:
            self.lm_head = nn.Linear(args.hidden_size, args.vocab_size, bias=False)

    def __call__(
        self, inputs: mx.array, cache=None, input_embeddings: Optional[mx.array] = None
    ) -> mx.array:
        out = self.model(inputs, cache, input_embeddings)
        if self.args.tie_word_embeddings:
            out = self.model.embed_tokens.as_linear(out)
        else:
            out = self.lm_head(out)
        return out

    def sanitize(self, weights):
        if self.args.tie_word_embeddings:
            weights.pop("lm_head.weight", None)
        return {k: v for k, v in weights.items() if "rotary_emb.inv_freq" not in k}

    @property
    def layers(self):
        return self.model.layers

    def make_cache(self):
        if self.args.sliding_window is None:
            return [KVCache() for _ in self.layers]
        return [RotatingKVCache(max_size=self.args.sliding_window) for _ in self.layers]

    def shard(self, group: Optional[mx.distributed.Group] = None):
        group = group or mx.distributed.init()
        for layer in self.model.layers:
            attn = layer.self_attn
            attn.q_proj = shard_linear(attn.q_proj, "all-to-sharded", group=group)
            attn.k_proj = shard_linear(attn.k_proj, "all-to-sharded", group=group)
            attn.v_proj = shard_linear(attn.v_proj, "all-to-sharded", group=group)
            attn.o_proj = shard_linear(attn.o_proj, "sharded-to-all", group=group)
            layer.mlp.c_fc = shard_linear(layer.mlp.c_fc, "all-to-sharded", group=group)
            layer.mlp.c_proj = shard_linear(
                layer.mlp.c_proj, "sharded-to-all", group=group
            )

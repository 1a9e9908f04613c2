import math
from dataclasses import dataclass
from typing import Any, Dict, Optional, Union

import mlx.core as mx
import mlx.nn as nn
from mlx.nn.layers.distributed import shard_linear

from .base import BaseModelArgs, create_attention_mask, scaled_dot_product_attention
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
    model_type: str = "gpt_neox"
    vocab_size: int = 50432
    hidden_size: int = 6144
    num_hidden_layers: int = 44
    num_attention_heads: int = 64
    intermediate_size: int = 24576
    hidden_act: str = "gelu"
    max_position_embeddings: int = 2048
    layer_norm_eps: float = 1e-05
    tie_word_embeddings: bool = False
    use_parallel_residual: bool = True
    attention_bias: bool = True
    head_dim: Optional[int] = None
    rotary_emb_base: float = 10000.0
    rope_scaling: Optional[Dict[str, Any]] = None
    rope_parameters: Optional[Dict[str, Any]] = None
    rotary_pct: float = 0.25

    def __post_init__(self):
        self.head_dim = self.head_dim or self.hidden_size // self.num_attention_heads
        rope = self.rope_scaling or self.rope_parameters or {}
        self.rope_theta = rope.get("rope_theta", self.rotary_emb_base)
        self.partial_rotary_factor = rope.get("partial_rotary_factor", self.rotary_pct)
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


class MLP(nn.Module):
    def __init__(self, args: ModelArgs):
        super().__init__()
        dim = args.hidden_size
        self.hidden_act = args.hidden_act
        self.dense_h_to_4h = nn.Linear(dim, args.intermediate_size, bias=True)
        self.dense_4h_to_h = nn.Linear(args.intermediate_size, dim, bias=True)

    def __call__(self, x: mx.array) -> mx.array:
        return self.dense_4h_to_h(ACTIVATIONS[self.hidden_act](self.dense_h_to_4h(x)))


class Attention(nn.Module):
    def __init__(self, args: ModelArgs):
        super().__init__()
        dim = args.hidden_size
        self.width = 3 * (dim // args.num_attention_heads)
        self.scale = (dim // args.num_attention_heads) ** -0.5
        self.query_key_value = nn.Linear(dim, 3 * dim, bias=args.attention_bias)
        self.dense = nn.Linear(dim, dim, bias=args.attention_bias)
        self.rope = create_rope(
            int(args.head_dim * args.partial_rotary_factor),
            base=args.rope_theta,
            traditional=False,
            scaling_config=args.rope_scaling,
            max_position_embeddings=args.max_position_embeddings,
        )

    def __call__(
        self, x: mx.array, mask: Optional[mx.array] = None, cache: Optional[Any] = None
    ) -> mx.array:
        B, L, _ = x.shape

        qkv = self.query_key_value(x).reshape(B, L, -1, self.width)
        qkv = qkv.transpose(0, 2, 1, 3)
        queries, keys, values = mx.split(qkv, 3, axis=-1)

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
        return self.dense(output.transpose(0, 2, 1, 3).reshape(B, L, -1))


class Layer(nn.Module):
    def __init__(self, args: ModelArgs):
        super().__init__()
        dim = args.hidden_size
        self.use_parallel_residual = args.use_parallel_residual
        self.input_layernorm = nn.LayerNorm(dim, eps=args.layer_norm_eps)
        self.post_attention_layernorm = nn.LayerNorm(dim, eps=args.layer_norm_eps)
        self.attention = Attention(args)
        self.mlp = MLP(args)

    def __call__(
        self, x: mx.array, mask: Optional[mx.array] = None, cache: Optional[Any] = None
    ) -> mx.array:
        output = self.attention(self.input_layernorm(x), mask, cache)
        if self.use_parallel_residual:
            x = self.mlp(self.post_attention_layernorm(x)) + output + x
        else:
            output = output + x
            x = self.mlp(self.post_attention_layernorm(output)) + output
        return x


class GPTNeoXModel(nn.Module):
    def __init__(self, args: ModelArgs):
        super().__init__()
        self.embed_in = nn.Embedding(args.vocab_size, args.hidden_size)
        self.layers = [Layer(args) for i in range(args.num_hidden_layers)]
        self.final_layer_norm = nn.LayerNorm(args.hidden_size, eps=args.layer_norm_eps)

    def __call__(
        self, inputs: mx.array, cache=None, input_embeddings: Optional[mx.array] = None
    ) -> mx.array:
        if input_embeddings is not None:
            h = input_embeddings
        else:
            h = self.embed_in(inputs)

        if cache is None:
            cache = [None] * len(self.layers)
        mask = create_attention_mask(h, cache[0])

        for layer, c in zip(self.layers, cache):
            h = layer(h, mask, c)

        return self.final_layer_norm(h)


class Model(nn.Module):
    def __init__(self, args: ModelArgs):
        super().__init__()
        self.args = args
        self.model_type = args.model_type
        self.gpt_neox = GPTNeoXModel(args)
        if not args.tie_word_embeddings:
            self.lm_head = nn.Linear(args.hidden_size, args.vocab_size, bias=False)

    def __call__(
        self, inputs: mx.array, cache=None, input_embeddings: Optional[mx.array] = None
    ) -> mx.array:
        out = self.gpt_neox(inputs, cache, input_embeddings)
        if self.args.tie_word_embeddings:
            out = self.gpt_neox.embed_in.as_linear(out)
        else:
            out = self.lm_head(out)
        return out

    def sanitize(self, weights):
        if self.args.tie_word_embeddings:
            weights.pop("lm_head.weight", None)
        weights = {
            ("lm_head." + k[10:] if k.startswith("embed_out.") else k): v
            for k, v in weights.items()
        }
        return {k: v for k, v in weights.items() if "rotary_emb.inv_freq" not in k}

    @property
    def layers(self):
        return self.gpt_neox.layers

    def shard(self, group: Optional[mx.distributed.Group] = None):
        group = group or mx.distributed.init()
        for layer in self.gpt_neox.layers:
            layer.attention.query_key_value = shard_linear(
                layer.attention.query_key_value, "all-to-sharded", group=group
            )
            layer.attention.dense = shard_linear(
                layer.attention.dense, "sharded-to-all", group=group
            )
            layer.mlp.dense_h_to_4h = shard_linear(
                layer.mlp.dense_h_to_4h, "all-to-sharded", group=group
            )
            layer.mlp.dense_4h_to_h = shard_linear(
                layer.mlp.dense_4h_to_h, "sharded-to-all", group=group
            )

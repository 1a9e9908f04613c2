import math
from dataclasses import dataclass
from typing import Any, Dict, List, Optional, Union

import mlx.core as mx
import mlx.nn as nn
from mlx.nn.layers.distributed import shard_inplace, shard_linear, sum_gradients

from .activations import swiglu
from .base import BaseModelArgs, create_attention_mask, scaled_dot_product_attention
from .cache import KVCache, RotatingKVCache
from .pipeline import PipelineMixin
from .rope_utils import DynamicNTKScalingRoPE, initialize_rope
from .switch_layers import SwitchGLU


@dataclass
class ModelArgs(BaseModelArgs):
    model_type: str = "qwen3_moe"
    vocab_size: int = 151936
    hidden_size: int = 2048
    intermediate_size: int = 6144
    num_hidden_layers: int = 24
    num_attention_heads: int = 32
    num_key_value_heads: int = 4
    hidden_act: str = "silu"
    max_position_embeddings: int = 32768
    rms_norm_eps: float = 1e-06
    tie_word_embeddings: bool = False
    attention_bias: bool = False
    use_sliding_window: bool = False
    sliding_window: Optional[int] = 4096
    decoder_sparse_step: int = 1
    moe_intermediate_size: int = 768
    num_experts_per_tok: int = 8
    norm_topk_prob: bool = False
    mlp_only_layers: Optional[List[int]] = None
    head_dim: Optional[int] = None
    num_local_experts: Optional[int] = None
    num_experts: int = 128
    rope_theta: float = 10000.0
    rope_scaling: Optional[Dict[str, Any]] = None
    rope_parameters: Optional[Dict[str, Any]] = None

    def __post_init__(self):
        if self.num_local_experts is None:
            self.num_local_experts = self.num_experts
        self.sliding_window = self.sliding_window if self.use_sliding_window else None
        self.mlp_only_layers = (
            [] if self.mlp_only_layers is None else self.mlp_only_layers
        )
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
        if self.hidden_act != "silu":
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
        n_heads = args.num_attention_heads
        n_kv_heads = args.num_key_value_heads
        self.scale = head_dim**-0.5
        self.q_proj = nn.Linear(dim, n_heads * head_dim, bias=args.attention_bias)
        self.k_proj = nn.Linear(dim, n_kv_heads * head_dim, bias=args.attention_bias)
        self.v_proj = nn.Linear(dim, n_kv_heads * head_dim, bias=args.attention_bias)
        self.o_proj = nn.Linear(n_heads * head_dim, dim, bias=args.attention_bias)
        self.q_norm = nn.RMSNorm(head_dim, eps=args.rms_norm_eps)
        self.k_norm = nn.RMSNorm(head_dim, eps=args.rms_norm_eps)
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

        queries = self.q_proj(x).reshape(B, L, -1, self.head_dim)
        queries = self.q_norm(queries).transpose(0, 2, 1, 3)
        keys = self.k_proj(x).reshape(B, L, -1, self.head_dim)
        keys = self.k_norm(keys).transpose(0, 2, 1, 3)
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


class SparseMoeBlock(nn.Module):
    def __init__(self, args: ModelArgs):
        super().__init__()
        self.top_k = args.num_experts_per_tok
        self.norm_topk_prob = args.norm_topk_prob
        self.gate = nn.Linear(args.hidden_size, args.num_local_experts, bias=False)
        self.switch_mlp = SwitchGLU(
            args.hidden_size, args.moe_intermediate_size, args.num_local_experts
        )
        self.sharding_group = None

    def __call__(self, x: mx.array) -> mx.array:
        if self.sharding_group is not None:
            x = sum_gradients(self.sharding_group)(x)

        router_probs = mx.softmax(self.gate(x).astype(mx.float32), axis=-1)
        inds = mx.argpartition(-router_probs, kth=self.top_k - 1, axis=-1)
        inds = mx.stop_gradient(inds[..., : self.top_k])
        scores = mx.take_along_axis(router_probs, inds, axis=-1)
        if self.norm_topk_prob:
            scores = scores / scores.sum(axis=-1, keepdims=True)
        scores = scores.astype(x.dtype)
        y = self.switch_mlp(x, inds)
        out = (y * scores[..., None]).sum(axis=-2)

        if self.sharding_group is not None:
            out = mx.distributed.all_sum(out, group=self.sharding_group)

        return out


class MLP(nn.Module):
    def __init__(self, args: ModelArgs, intermediate_size: int):
        super().__init__()
        self.gate_proj = nn.Linear(args.hidden_size, intermediate_size, bias=False)
        self.up_proj = nn.Linear(args.hidden_size, intermediate_size, bias=False)
        self.down_proj = nn.Linear(intermediate_size, args.hidden_size, bias=False)

    def __call__(self, x: mx.array) -> mx.array:
        return self.down_proj(swiglu(self.gate_proj(x), self.up_proj(x)))


class DecoderLayer(nn.Module):
    def __init__(self, args: ModelArgs, layer_idx: int):
        super().__init__()
        dim = args.hidden_size
        self.self_attn = Attention(args)
        if layer_idx not in args.mlp_only_layers and (
            args.num_local_experts > 0
            and (layer_idx + 1) % args.decoder_sparse_step == 0
        ):
            self.mlp = SparseMoeBlock(args)
        else:
            self.mlp = MLP(args, intermediate_size=args.intermediate_size)
        self.input_layernorm = nn.RMSNorm(dim, eps=args.rms_norm_eps)
        self.post_attention_layernorm = nn.RMSNorm(dim, eps=args.rms_norm_eps)

    def __call__(
        self, x: mx.array, mask: Optional[mx.array] = None, cache: Optional[Any] = None
    ) -> mx.array:
        h = x + self.self_attn(self.input_layernorm(x), mask, cache)
        return h + self.mlp(self.post_attention_layernorm(h))


class Qwen3MoeModel(PipelineMixin, nn.Module):
    def __init__(self, args: ModelArgs):
        super().__init__()
        self.sliding_window = args.sliding_window
        self.embed_tokens = nn.Embedding(args.vocab_size, args.hidden_size)
        self.layers = [
            DecoderLayer(args, layer_idx=i) for i in range(args.num_hidden_layers)
        ]
        self.norm = nn.RMSNorm(args.hidden_size, eps=args.rms_norm_eps)

    def __call__(
        self, inputs: mx.array, cache=None, input_embeddings: Optional[mx.array] = None
    ) -> mx.array:
        if input_embeddings is not None:
            h = input_embeddings
        else:
            h = self.embed_tokens(inputs)

        if cache is None:
            cache = [None] * len(self.pipeline_layers)
        mask = create_attention_mask(h, cache[0], window_size=self.sliding_window)

        # Receive from the previous process in the pipeline
        if self.pipeline_rank < self.pipeline_size - 1:
            h = mx.distributed.recv_like(h, self.pipeline_rank + 1)

        for layer, c in zip(self.pipeline_layers, cache):
            h = layer(h, mask, c)

        # Send to the next process in the pipeline
        if self.pipeline_rank != 0:
            h = mx.distributed.send(h, self.pipeline_rank - 1)
            if cache[-1] is not None:
                cache[-1].keys = mx.depends(cache[-1].keys, h)

        # Broadcast h while keeping it in the graph
        if self.pipeline_size > 1:
            h = mx.distributed.all_gather(h)[: h.shape[0]]

        return self.norm(h)


class Model(nn.Module):
    def __init__(self, args: ModelArgs):
        super().__init__()
        self.args = args
        self.model_type = args.model_type
        self.model = Qwen3MoeModel(args)
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
        for l in range(self.args.num_hidden_layers):
            prefix = f"model.layers.{l}"
            for n in ["gate_proj", "up_proj", "down_proj"]:
                for k in ["weight", "scales", "biases"]:
                    if f"{prefix}.mlp.experts.0.{n}.{k}" in weights:
                        experts = [
                            weights.pop(f"{prefix}.mlp.experts.{e}.{n}.{k}")
                            for e in range(self.args.num_local_experts)
                        ]
                        weights[f"{prefix}.mlp.switch_mlp.{n}.{k}"] = mx.stack(experts)
            if f"{prefix}.mlp.experts.gate_up_proj" in weights:
                gate_up = weights.pop(f"{prefix}.mlp.experts.gate_up_proj")
                gate, up = mx.split(gate_up, 2, axis=-2)
                weights[f"{prefix}.mlp.switch_mlp.gate_proj.weight"] = gate
                weights[f"{prefix}.mlp.switch_mlp.up_proj.weight"] = up
                weights[f"{prefix}.mlp.switch_mlp.down_proj.weight"] = weights.pop(
                    f"{prefix}.mlp.experts.down_proj"
                )
        return {k: v for k, v in weights.items() if "rotary_emb.inv_freq" not in k}

    @property
    def layers(self):
        return self.model.pipeline_layers

    def make_cache(self):
        if self.args.sliding_window is None:
            return [KVCache() for _ in self.layers]
        return [RotatingKVCache(max_size=self.args.sliding_window) for _ in self.layers]

    @property
    def quant_predicate(self):
        def predicate(path, _):
            if path.endswith("mlp.gate"):
                return {"group_size": 64, "bits": 8}
            return True

        return predicate

    def shard(self, group: Optional[mx.distributed.Group] = None):
        group = group or mx.distributed.init()
        for layer in self.layers:
            attn = layer.self_attn
            attn.q_proj = shard_linear(attn.q_proj, "all-to-sharded", group=group)
            attn.k_proj = shard_linear(attn.k_proj, "all-to-sharded", group=group)
            attn.v_proj = shard_linear(attn.v_proj, "all-to-sharded", group=group)
            attn.o_proj = shard_linear(attn.o_proj, "sharded-to-all", group=group)
            mlp = layer.mlp
            if isinstance(mlp, MLP):
                mlp.gate_proj = shard_linear(
                    mlp.gate_proj, "all-to-sharded", group=group
                )
                mlp.up_proj = shard_linear(mlp.up_proj, "all-to-sharded", group=group)
                mlp.down_proj = shard_linear(
                    mlp.down_proj, "sharded-to-all", group=group
                )
            if isinstance(mlp, SparseMoeBlock):
                mlp.sharding_group = group
                shard_inplace(mlp.switch_mlp.gate_proj, "all-to-sharded", group=group)
                shard_inplace(mlp.switch_mlp.up_proj, "all-to-sharded", group=group)
                shard_inplace(mlp.switch_mlp.down_proj, "sharded-to-all", group=group)

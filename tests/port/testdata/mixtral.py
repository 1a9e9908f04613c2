import math
from dataclasses import dataclass
from typing import Any, Dict, Optional

import mlx.core as mx
import mlx.nn as nn
from mlx.nn.layers.distributed import shard_inplace, shard_linear, sum_gradients

from .base import BaseModelArgs, create_attention_mask, scaled_dot_product_attention
from .cache import KVCache, RotatingKVCache
from .pipeline import PipelineMixin
from .rope_utils import initialize_rope
from .switch_layers import SwitchGLU


@dataclass
class ModelArgs(BaseModelArgs):
    model_type: str = "mixtral"
    vocab_size: int = 32000
    hidden_size: int = 4096
    intermediate_size: int = 14336
    num_hidden_layers: int = 32
    num_attention_heads: int = 32
    num_key_value_heads: int = 8
    head_dim: Optional[int] = None
    hidden_act: str = "silu"
    max_position_embeddings: int = 131072
    rms_norm_eps: float = 1e-05
    tie_word_embeddings: bool = False
    sliding_window: Optional[int] = None
    num_experts_per_tok: int = 2
    num_local_experts: int = 8
    num_experts: Optional[Any] = None
    rope_theta: float = 1000000.0
    rope_scaling: Optional[Dict[str, Any]] = None
    rope_parameters: Optional[Dict[str, Any]] = None

    def __post_init__(self):
        if self.num_experts is not None:
            self.num_local_experts = self.num_experts
        if self.num_key_value_heads is None:
            self.num_key_value_heads = self.num_attention_heads
        self.head_dim = self.head_dim or self.hidden_size // self.num_attention_heads
        rope = self.rope_scaling or self.rope_parameters or {}
        self.rope_theta = rope.get("rope_theta", self.rope_theta)
        rope_type = rope.get("rope_type", rope.get("type", "default"))
        if rope_type not in ("default", "linear", "llama3", "yarn"):
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


class Attention(nn.Module):
    def __init__(self, args: ModelArgs):
        super().__init__()
        self.head_dim = head_dim = args.head_dim
        dim = args.hidden_size
        self.scale = head_dim**-0.5
        self.q_proj = nn.Linear(dim, args.num_attention_heads * head_dim, bias=False)
        self.k_proj = nn.Linear(dim, args.num_key_value_heads * head_dim, bias=False)
        self.v_proj = nn.Linear(dim, args.num_key_value_heads * head_dim, bias=False)
        self.o_proj = nn.Linear(args.num_attention_heads * head_dim, dim, bias=False)
        self.rope = initialize_rope(
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


class SparseMoeBlock(nn.Module):
    def __init__(self, args: ModelArgs):
        super().__init__()
        dim = args.hidden_size
        self.top_k = args.num_experts_per_tok
        self.gate = nn.Linear(dim, args.num_local_experts, bias=False)
        self.switch_mlp = SwitchGLU(dim, args.intermediate_size, args.num_local_experts)
        self.sharding_group = None

    def __call__(self, x: mx.array) -> mx.array:
        if self.sharding_group is not None:
            x = sum_gradients(self.sharding_group)(x)

        router_probs = mx.softmax(self.gate(x).astype(mx.float32), axis=-1)
        inds = mx.argpartition(-router_probs, kth=self.top_k - 1, axis=-1)
        inds = mx.stop_gradient(inds[..., : self.top_k])
        scores = mx.take_along_axis(router_probs, inds, axis=-1)
        y = self.switch_mlp(x, inds)
        scores = scores / scores.sum(axis=-1, keepdims=True)
        out = (y * scores[..., None]).sum(axis=-2).astype(y.dtype)

        if self.sharding_group is not None:
            out = mx.distributed.all_sum(out, group=self.sharding_group)

        return out


class DecoderLayer(nn.Module):
    def __init__(self, args: ModelArgs):
        super().__init__()
        dim = args.hidden_size
        self.self_attn = Attention(args)
        self.mlp = SparseMoeBlock(args)
        self.input_layernorm = nn.RMSNorm(dim, eps=args.rms_norm_eps)
        self.post_attention_layernorm = nn.RMSNorm(dim, eps=args.rms_norm_eps)

    def __call__(
        self, x: mx.array, mask: Optional[mx.array] = None, cache: Optional[Any] = None
    ) -> mx.array:
        h = x + self.self_attn(self.input_layernorm(x), mask, cache)
        return h + self.mlp(self.post_attention_layernorm(h))


class MixtralModel(PipelineMixin, nn.Module):
    def __init__(self, args: ModelArgs):
        super().__init__()
        self.sliding_window = args.sliding_window
        self.embed_tokens = nn.Embedding(args.vocab_size, args.hidden_size)
        self.layers = [DecoderLayer(args) for i in range(args.num_hidden_layers)]
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
        self.model = MixtralModel(args)
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
        weights = {
            k.replace(".block_sparse_moe.", ".mlp."): v for k, v in weights.items()
        }
        for l in range(self.args.num_hidden_layers):
            prefix = f"model.layers.{l}"
            for n, m in [("w1", "gate_proj"), ("w3", "up_proj"), ("w2", "down_proj")]:
                for k in ["weight", "scales", "biases"]:
                    if f"{prefix}.mlp.experts.0.{n}.{k}" in weights:
                        experts = [
                            weights.pop(f"{prefix}.mlp.experts.{e}.{n}.{k}")
                            for e in range(self.args.num_local_experts)
                        ]
                        weights[f"{prefix}.mlp.switch_mlp.{m}.{k}"] = mx.stack(experts)
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
            layer.mlp.sharding_group = group
            shard_inplace(layer.mlp.switch_mlp.gate_proj, "all-to-sharded", group=group)
            shard_inplace(layer.mlp.switch_mlp.up_proj, "all-to-sharded", group=group)
            shard_inplace(layer.mlp.switch_mlp.down_proj, "sharded-to-all", group=group)

"""Shrinks a transformers config: every mechanism stays, every size becomes tiny.

The rules look only at the names and default values of config fields. Sizes are
pairwise distinct, windows are shorter than the prompts of the battery, scalars
that default to "does nothing" get a value that shows.
"""

import hashlib
import itertools
import json
import re
import sys

VOCAB_SIZE = 288
WINDOW = 8

# (pattern over the field's name, size). The first match decides.
SIZES = [
    (r"hidden_size|n_embd|d_model|embedding_dim|lru_width|word_embed_proj_dim", 96),
    (r"num_attention_heads|n_heads?|attention_heads|num_heads", 6),
    (r"(swa_)?num_attention_heads", 6),
    (r"num_key_value_heads|num_kv_heads|kv_n_heads|swa_num_key_value_heads", 2),
    (r"num_global_key_value_heads", 2),
    (r"head_dim|swa_head_dim|v_head_dim_full", 32),
    (r"global_head_dim", 48),
    (r"(swa_)?v_head_dim", 24),
    (r"q_lora_rank", 40),
    (r"kv_lora_rank", 32),
    (r"o_lora_rank", 20),
    (r"o_groups", 2),
    (r"qk_nope_head_dim", 16),
    (r"qk_rope_head_dim", 8),
    (r"qk_head_dim", 24),
    (r"index(er)?_head_dim", 16),
    (r"index(er)?_n_heads", 4),
    (r"index_topk", 5),
    (r"rotary_dim", 8),
    (r"moe_intermediate_size|expert_ffn_hidden_size", 64),
    (r"(moe_)?shared_experts?_intermediate_size|shared_intermediate_size", 128),
    (r"(prefix_)?dense_intermediate_size|intermediate_size_mlp", 224),
    (r"attention_hidden_size", 96),
    (
        r"intermediate_size|ffn_hidden_size|n_inner|ffn_dim|dff|dim_ff|block_ff_dim"
        r"|feed_forward_size",
        160,
    ),
    (r"vocab_size(_per_layer_input)?|(un)?padded_vocab_size", VOCAB_SIZE),
    (r"hidden_size_per_layer_input", 20),
    (r"laurel_rank|adapter_rank|gated_norm_rank", 12),
    (r"(moe_)?num_(local_)?experts|n_routed_experts", 8),
    (r"num_experts_per_tok(en)?|moe_top_?k|moe_k|top_k_experts", 3),
    (r"n_group|num_expert_group", 4),
    (r"topk_group", 2),
    (r"zero_expert_num", 4),
    (r"first_k_dense_replace|num_dense_layers|moe_layer_start_index", 1),
    (
        r"(attention_)?(sliding_)?window(_size)?|sliding_window_size|local_attention"
        r"|attention_chunk_size|attention_window_size|keep_window_size",
        WINDOW,
    ),
    (r"max_position_embeddings|n_positions|n_ctx|max_seq_len|context_length", 512),
    (r"model_max_length|original_max_position_embeddings", 512),
    (r"(mamba_)?chunk_size|block_size", 8),
    (r"mamba_chunk_size", 8),
    (r"mamba_d_state|state_size|ssm_state_size", 12),
    (r"mamba_n_heads|mamba_num_heads", 12),
    (r"mamba_d_head|mamba_head_dim|mamba_headdim", 16),
    (r"mamba_d_ssm", 192),
    (r"mamba_n_groups|mamba_ngroups|n_groups", 2),
    (r"time_step_rank|mamba_dt_rank", 10),
    (r"linear_num_key_heads", 2),
    (r"linear_num_value_heads", 4),
    (r"linear_key_head_dim", 16),
    (r"linear_value_head_dim", 24),
    (r"linear_num_heads", 4),
    (r"linear_head_dim", 16),
    (r"router_hidden_size", 28),
    (r"floor_scale|log_scaling_n_floor", 4),
    (r"attn_layer_offset", 1),
]

LAYER_COUNT = r"num_hidden_layers|n_layers?|num_layers|num_blocks"
PERIOD = (
    r"_?sliding_window_pattern|global_attn_every_n_layers|no_rope_layer_interval"
    r"|full_attention_interval|attn_layer_period|layer_group_size"
)
# The last so many layers.
TRAILING = r"num_kv_shared_layers"
PERIODS = r"layer_(period|interval|step|freq)"
SCALE = r"(^|_)(multipliers?|scale|scaling(_factor)?|factor)$|^(route_scale|scale_emb)$"
POSITIONS = r"position|n_ctx|seq_len|context_length|max_length"
NOT_A_SCALE = r"time_step|loss|std|init|aux|drop"
EPS = r"(^|_)(eps|epsilon)(_|$)"
SOFTCAP = r"soft_?cap"

_SKIP = {
    "id2label",
    "label2id",
    "transformers_version",
    "architectures",
    "dtype",
    "torch_dtype",
    "model_type",
    "_name_or_path",
}


def spread(name, low, high):
    """A value in [low, high] fixed by the name, so that no two fields agree."""
    digest = int.from_bytes(hashlib.sha256(name.encode()).digest()[:4], "big")
    return round(low + (high - low) * digest / 2**32, 4)


def _matches(pattern, name):
    return re.fullmatch(pattern, name) is not None


def _scalar(name, value, variant):
    """The shrunk value of one field, or the value itself."""
    if isinstance(value, bool) or value is None:
        return value
    if name.endswith("_token_id") or name == "token_id":
        return value
    if isinstance(value, (int, float)):
        if re.search(SOFTCAP, name) and value:
            return spread(name, 3.0, 5.0)
        if re.search(EPS, name) and value < 1e-3:
            return spread(name, 1e-3, 4e-3)
        if name == "query_pre_attn_scalar":
            return 20
        if (
            value == 1.0
            and re.search(SCALE, name)
            and not re.search(NOT_A_SCALE, name)
            and name != "partial_rotary_factor"
        ):
            return spread(name, 0.6, 1.8)
    if isinstance(value, int):
        if name in variant:
            return variant[name]
        if _matches(PERIOD, name) and value > 1:
            return min(value, 3)
        for pattern, size in SIZES:
            if _matches(pattern, name):
                return _bounded(name, value, size)
    return value


def _bounded(name, value, size):
    """Counts whose default is one or two mean something: they are kept."""
    if re.search(r"group|per_tok|top_?k|moe_k|shared_experts$", name):
        return min(value, size)
    if _matches(r"num_key_value_heads|num_kv_heads|kv_n_heads", name) and value == 1:
        return 1
    if re.search(r"first_k_dense|num_dense_layers|layer_start", name):
        return min(value, size)
    if name.endswith("window") and value % 2:
        return size + 1  # an odd window is one more than the tokens it looks back
    return size


def _rope(rope, path="rope_parameters"):
    """Another base than the default, and a scaling whose zones are all reached."""
    out = {}
    original = rope.get("original_max_position_embeddings")
    for name, value in rope.items():
        if isinstance(value, dict):
            out[name] = _rope(value, f"{path}.{name}")
        elif name == "rope_theta" and isinstance(value, (int, float)):
            out[name] = float(round(value * spread(path, 0.55, 0.8)))
        elif name == "original_max_position_embeddings" and value:
            out[name] = 64
        elif name == "max_position_embeddings" and value:
            out[name] = int(64 * value / original) if original else 512
        else:
            out[name] = value
    return out


def _with_block_of_all(fields, variant):
    """A block is all that a model knows positions for, where nothing else says so."""
    said = any(re.search(POSITIONS, name) for name in fields)
    return variant if said else {"block_size": 512, **variant}


def shrink_fields(fields, layers, variant, top=True):
    """Maps {field: value} to its shrunk form; `layers` indexes per-layer lists."""
    depth = layer_count(fields)
    variant = _with_block_of_all(fields, variant) if top else variant
    out = {}
    for name, value in fields.items():
        if name in _SKIP:
            continue
        if _matches(LAYER_COUNT, name) and isinstance(value, int):
            out[name] = len(layers)
        elif _matches(TRAILING, name) and value and depth:
            out[name] = sum(i >= depth - value for i in layers)
        elif name in ("rope_parameters", "rope_scaling") and isinstance(value, dict):
            out[name] = _rope(value)
        elif name == "per_layer_config" and isinstance(value, dict):
            out[name] = _per_layer(value, layers, variant)
        elif isinstance(value, dict) and value:
            out[name] = shrink_fields(value, layers, variant, top=False)
        elif isinstance(value, (list, tuple)):
            out[name] = _list(name, list(value), depth, layers, variant)
        else:
            out[name] = _scalar(name, value, variant)
    _keep_ties(fields, out, variant)
    if top and "vocab_size" in out:
        _special_tokens(fields, out)
    return out


def _keep_ties(fields, out, variant):
    """Sizes that follow from others in the original follow from them here too."""
    if fields.get("kv_lora_rank") and "num_key_value_heads" in out:
        out["num_key_value_heads"] = out["num_attention_heads"]
    rope_dims = fields.get("qk_rope_head_dim")
    if rope_dims and fields.get("head_dim") == rope_dims:
        out["head_dim"] = out["qk_rope_head_dim"]
    if "num_key_value_heads" in fields and fields["num_key_value_heads"] is None:
        out["num_key_value_heads"] = 2
    if "head_dim" in fields and fields["head_dim"] is None:
        out["head_dim"] = variant.get("head_dim_if_none")
    rope = out.get("rope_parameters")
    if isinstance(rope, dict) and not any(isinstance(v, dict) for v in rope.values()):
        if rope.get("rope_theta") is None and "rope_type" in rope:
            rope["rope_theta"] = 6929.0
    original = fields.get("original_max_position_embeddings")
    if original and fields.get("max_position_embeddings", 0) > original:
        out["original_max_position_embeddings"] = 64
    _fit_factors(out)
    hidden = fields.get("hidden_size")
    if hidden and fields.get("attention_hidden_size") == 2 * hidden:
        out["attention_hidden_size"] = 2 * out["hidden_size"]


def _fit_factors(out):
    """One factor for each pair that longrope turns, of those there were."""
    heads, width = out.get("num_attention_heads"), out.get("hidden_size")
    if not heads or not width:
        return
    head_dim = out.get("head_dim") or width // heads
    for name in ("rope_parameters", "rope_scaling"):
        rope = out.get(name)
        factors = [
            k
            for k in ("short_factor", "long_factor")
            if isinstance(rope, dict) and isinstance(rope.get(k), list) and rope[k]
        ]
        for key in factors:
            given = rope[key]
            part = rope.get("partial_rotary_factor") or out.get("partial_rotary_factor")
            count = int(head_dim * (part or 1.0)) // 2
            rope[key] = [given[i * len(given) // count] for i in range(count)]


def _special_tokens(fields, out):
    for offset, name in enumerate(("bos_token_id", "eos_token_id", "pad_token_id")):
        if fields.get(name) is not None:
            out[name] = 256 + offset
    for offset, name in enumerate(n for n in fields if n.endswith("_token_id")):
        if name not in ("bos_token_id", "eos_token_id", "pad_token_id"):
            if isinstance(fields[name], int):
                out[name] = 260 + offset % 20


def layer_count(fields):
    for name, value in fields.items():
        if _matches(LAYER_COUNT, name) and isinstance(value, int):
            return value
    return None


def _of_runs(value):
    """What [[pattern, repeats], ...] says layer by layer; None of another list."""
    out = []
    for run in value:
        if not (isinstance(run, (list, tuple)) and len(run) == 2):
            return None
        pattern, repeats = run
        if not (isinstance(pattern, (list, tuple)) and isinstance(repeats, int)):
            return None
        out.extend(list(pattern) * repeats)
    return out


def _list(name, value, depth, layers, variant):
    if depth and len(_of_runs(value) or ()) == depth:
        return [[[_of_runs(value)[i] for i in layers], 1]]
    if depth and len(value) == depth and len(value) > 2:
        return [_element(name, value[i], variant) for i in layers]
    if value and all(v == 1.0 and not isinstance(v, bool) for v in value):
        if re.search(SCALE, name):
            return [spread(f"{name}.{i}", 0.6, 1.8) for i in range(len(value))]
    if value and all(isinstance(v, int) and not isinstance(v, bool) for v in value):
        if re.search(r"layer|idx|ids", name) and depth:
            # Indices of layers: the positions they take in the shrunk model.
            return [k for k, i in enumerate(layers) if i in value]
    return value


def _element(name, value, variant):
    singular = re.sub(r"_per_layer$", "", name)
    if name == "layer_rope_theta" and isinstance(value, (int, float)):
        return value * spread(name, 0.55, 0.8)
    return _scalar(singular, value, variant)


def _per_layer(value, layers, variant):
    out = {}
    for k, i in enumerate(layers):
        overrides = value.get(i, value.get(str(i)))
        if overrides is None:
            continue
        small = {}
        for name, v in overrides.items():
            s = _scalar(name, v, variant)
            if name == "head_dim" and isinstance(s, int):
                s = 48
            small[name] = s
        out[k] = small
    return out


def layer_kinds(fields):
    """The joint kind of every layer of the unshrunk config, as far as lists say."""
    depth = layer_count(fields)
    if not depth:
        return None
    lists = [
        v
        for k, v in sorted(fields.items())
        if isinstance(v, (list, tuple)) and len(v) == depth and depth > 2
    ]
    indices = [
        set(v)
        for k, v in sorted(fields.items())
        if isinstance(v, (list, tuple))
        and re.search(r"layer|idx|ids", k)
        and len(v) not in (0, depth)
        and all(isinstance(x, int) and not isinstance(x, bool) for x in v)
    ]
    per_layer = fields.get("per_layer_config") or {}
    dense = next(
        (
            fields[n]
            for n in ("first_k_dense_replace", "num_dense_layers")
            if isinstance(fields.get(n), int) and fields[n]
        ),
        0,
    )
    trailing = depth - next(
        (v for k, v in fields.items() if _matches(TRAILING, k) and v), 0
    )
    kinds = []
    for i in range(depth):
        kind = tuple(repr(v[i]) for v in lists)
        kind += tuple(i in v for v in indices)
        kind += (i < dense, i < trailing, repr(per_layer.get(i, per_layer.get(str(i)))))
        kinds.append(kind)
    return kinds


def least_layers(fields):
    """As many as show what meets where layers are of kinds by more than one period."""
    periods = [
        name
        for name, value in fields.items()
        if re.search(PERIODS, name) and isinstance(value, int) and value > 1
    ]
    return 6 if len(periods) > 1 else 3


def choose_layers(fields, least=3, most=6):
    """Indices of a few layers of the original that show every kind of layer."""
    depth = layer_count(fields) or least
    kinds = layer_kinds(fields) or [()] * depth
    seen = set()
    chosen = []
    for i, kind in enumerate(kinds):
        if kind not in seen:
            seen.add(kind)
            chosen.append(i)
    chosen = chosen[:most]
    for i in itertools.chain(range(depth), itertools.repeat(depth - 1)):
        if len(chosen) >= least:
            break
        if i not in chosen or i == depth - 1:
            chosen.append(i)
    return sorted(chosen)


def choose_pairs(fields, least, most=6):
    """As choose_layers, and where there is room two layers of each kind that has as
    many: layers may share what they hold with others of their kind."""
    chosen = choose_layers(fields, least, most)
    kinds = layer_kinds(fields) or []
    for kind in dict.fromkeys(kinds[i] for i in chosen):
        others = [i for i, k in enumerate(kinds) if k == kind and i not in chosen]
        if others and len(chosen) < most and sum(kinds[i] == kind for i in chosen) < 2:
            chosen.append(others[0])
    return sorted(chosen)


# Tried in this order until a model builds and runs.
VARIANTS = [
    {},
    {"head_dim_if_none": 32},
    {"num_key_value_heads": 6, "num_kv_heads": 6, "kv_n_heads": 6},
    {"head_dim": 16},
    {"head_dim": 16, "num_key_value_heads": 6, "num_kv_heads": 6},
    {
        "hidden_size": 256,
        "n_embd": 256,
        "num_attention_heads": 8,
        "num_heads": 8,
        "n_head": 8,
    },
    {
        "hidden_size": 64,
        "n_embd": 64,
        "num_attention_heads": 4,
        "num_heads": 4,
        "n_head": 4,
        "head_dim": 16,
        "moe_intermediate_size": 56,
        "expert_ffn_hidden_size": 56,
    },
]


def _divided(fields):
    """Sizes that are to each other as they were: of a width that is counts times
    sizes of heads, each is divided by what keeps that true."""
    counts, sizes, widths = {}, {}, {}
    for name, value in fields.items():
        if not isinstance(value, int) or isinstance(value, bool) or value < 2:
            continue
        if re.search(r"heads?$|^n_heads?", name):
            counts[name] = value
        elif re.search(r"head_?dim|kv_channels|rotary_dim", name):
            sizes[name] = value
        elif re.search(r"size$|width|rank|dim$|embd|inner|d_model", name):
            if not re.search(r"vocab|window|chunk|block|state|d_conv|kernel", name):
                widths[name] = value
    heads = max(1, max(counts.values(), default=8) // 8)
    while any(v % heads for v in counts.values() if v > heads):
        heads -= 1
    size = 4
    while size > 1 and any(v % size or v < 8 * size for v in sizes.values()):
        size //= 2
    out = {name: max(1, v // heads) for name, v in counts.items()}
    out.update({name: v // size for name, v in sizes.items()})
    for name, value in widths.items():
        if value % (heads * size) == 0:
            out[name] = value // (heads * size)
    return out


def _untied(sizes):
    """Widths that are the same made different: what is read of one is no other's."""
    seen = set()
    out = {}
    for name, value in sizes.items():
        again = value in seen and re.search(r"size$|inner|dff|ffn", name)
        out[name] = value + value // 2 if again else value
        seen.add(value)
    return out


def small_forms(fields):
    """The fields of a config in small sizes, the most telling first."""
    layers = choose_pairs(fields, least_layers(fields))
    kept = {name: fields[name] for name in _SKIP & fields.keys()}
    divided = _divided(fields)
    variants = [*VARIANTS, _untied(divided), divided]
    return [{**shrink_fields(fields, layers, v), **kept} for v in variants]


if __name__ == "__main__":
    json.dump(small_forms(json.load(sys.stdin)), sys.stdout)

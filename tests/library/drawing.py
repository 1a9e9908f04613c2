"""Draws configs from the fields of a tiny one: what a field is named tells what fits.

A draw may be no valid config; transformers, which builds it first, is the judge.
"""

import copy

ACTIVATIONS = [
    "silu",
    "gelu",
    "gelu_new",
    "gelu_pytorch_tanh",
    "relu",
    "relu2",
    "gelu_fast",
]
KINDS = [
    "default",
    "linear",
    "dynamic",
    "llama3",
    "yarn",
    "yarn",
    "longrope",
    "proportional",
]
# Prompts have 9 and 14 tokens: thresholds lie before, between and after them.
THRESHOLDS = [6, 11, 64]
# Not part of the forward pass of a text, or of another kind of model.
LEFT_ALONE = {
    "use_cache",
    "is_decoder",
    "is_encoder_decoder",
    "add_cross_attention",
    "output_router_logits",
    "is_encoder",
    "disable_ngram_loss",
    "use_weighted_layer_sum",
    "use_mamba_kernels",
    "use_mambapy",
    "use_associative_scan",
    "rescale_prenorm_residual",
    "summary_use_proj",
    "summary_proj_to_labels",
    "classifier_bias",
    "use_mem_eff_path",
    "return_dict",
}


def _heads(fields):
    for name in ("num_attention_heads", "n_head", "n_heads", "num_heads"):
        if isinstance(fields.get(name), int):
            return fields[name]
    return None


def _rotary_width(fields):
    heads = _heads(fields)
    width = fields.get("qk_rope_head_dim") or fields.get("head_dim")
    if not width and heads:
        sizes = (fields.get(name) for name in ("hidden_size", "n_embd", "d_model"))
        width = next((size for size in sizes if size), 0) // heads
    rope = fields.get("rope_parameters") or {}
    partial = rope.get("partial_rotary_factor", fields.get("partial_rotary_factor"))
    return int((width or 0) * (partial or 1))


def _rope(draw, fields, old):
    """Parameters of one kind of rotary embedding in place of `old`."""
    kept = {k: old[k] for k in ("rope_theta", "partial_rotary_factor") if k in old}
    if draw.random() < 0.3:
        kept["rope_theta"] = draw.choice([100.0, 6929.0, 1e6])
    if draw.random() < 0.3:
        kept["partial_rotary_factor"] = draw.choice([0.25, 0.5, 0.75])
    kind = draw.choice(KINDS)
    factor = draw.choice([1.5, 2.0, 4.0, 8.0])
    original = draw.choice(THRESHOLDS)
    out = {**kept, "rope_type": kind}
    if kind in ("linear", "dynamic"):
        out["factor"] = factor
    elif kind == "llama3":
        out.update(
            factor=factor,
            low_freq_factor=1.0,
            high_freq_factor=draw.choice([2.0, 4.0]),
            original_max_position_embeddings=draw.choice([16, 32, 128]),
        )
    elif kind == "yarn":
        out.update(factor=factor, original_max_position_embeddings=original)
        options = {
            "beta_fast": draw.choice([8, 32, 64]),
            "beta_slow": draw.choice([1, 2]),
            "mscale": draw.choice([0.7, 1.0]),
            "mscale_all_dim": draw.choice([0.8, 1.0]),
            "attention_factor": draw.choice([0.8, 1.1]),
            "truncate": draw.choice([True, False]),
        }
        for name in draw.sample(sorted(options), draw.randrange(4)):
            out[name] = options[name]
    elif kind == "longrope":
        pairs = _rotary_width({**fields, "rope_parameters": kept}) // 2
        out.update(
            short_factor=[1.0 + 0.05 * i for i in range(pairs)],
            long_factor=[1.5 + 0.4 * i for i in range(pairs)],
            original_max_position_embeddings=original,
        )
        if draw.random() < 0.3:
            out["factor"] = factor
        if draw.random() < 0.3:
            out["attention_factor"] = 1.2
    return out


def _ropes(draw, fields, old):
    if any(isinstance(value, dict) for value in old.values()):
        chosen = draw.choice(sorted(k for k, v in old.items() if isinstance(v, dict)))
        return {**old, chosen: _rope(draw, fields, old[chosen])}
    return _rope(draw, fields, old)


def _change(draw, name, value, fields):
    """Another value of the field, or None where its name says nothing."""
    if name in LEFT_ALONE or name.startswith("_"):
        return None
    if name == "rope_parameters" and isinstance(value, dict):
        return _ropes(draw, fields, value)
    if isinstance(value, bool):
        return not value
    if name in ("num_key_value_heads", "num_kv_heads"):
        heads = _heads(fields) or 6
        return draw.choice([n for n in range(1, heads + 1) if heads % n == 0])
    if name in ("hidden_act", "activation_function", "hidden_activation", "activation"):
        return draw.choice(ACTIVATIONS)
    if name in ("sliding_window", "attention_window_size", "attention_chunk_size"):
        return draw.choice([3, 5, 8, 12, 64])
    if name in ("num_experts_per_tok", "moe_topk", "moe_k", "num_experts_per_token"):
        return draw.choice([1, 2, 4])
    if name in ("topk_group", "first_k_dense_replace", "num_dense_layers"):
        return draw.choice([0, 1, 2, 3])
    if name == "n_group":
        return draw.choice([1, 2, 4])
    if name in ("decoder_sparse_step", "moe_layer_freq", "no_rope_layer_interval"):
        return draw.choice([1, 2, 3])
    if name in ("n_shared_experts", "num_shared_experts", "moe_num_shared_experts"):
        return draw.choice([1, 2, 3])
    if name in ("head_dim", "v_head_dim"):
        return draw.choice([12, 16, 24, 40])
    if name == "max_position_embeddings":
        return draw.choice([32, 64, 512])
    if name == "clip_qkv":
        return draw.choice([0.4, 1.5, 8.0])
    if isinstance(value, list) and value and len(set(map(str, value))) > 1:
        if all(isinstance(item, (str, bool, int)) for item in value):
            return draw.sample(value, len(value))
    if isinstance(value, float) and name.endswith(
        ("multiplier", "softcapping", "scaling", "scaling_factor", "scale", "_eps")
    ):
        return value * draw.choice([0.25, 0.6, 1.7])
    return None


def overrides(draw, fields, most=4):
    """One to `most` fields with other values than in `fields`."""
    names = sorted(fields)
    wanted = draw.randint(1, most)
    draw.shuffle(names)
    if "rope_parameters" in names and draw.random() < 0.4:
        names.insert(0, "rope_parameters")
    out = {}
    for name in names:
        changed = _change(draw, name, fields[name], fields)
        if changed is not None and changed != fields[name]:
            out[name] = changed
            if len(out) == wanted:
                break
    return out


def _flatten_rope(draw, config):
    rope = config.get("rope_parameters")
    if not rope or any(isinstance(value, dict) for value in rope.values()):
        return
    rope = config.pop("rope_parameters")
    for name in ("rope_theta", "partial_rotary_factor"):
        if name in rope:
            config[name] = rope.pop(name)
    kind = rope.pop("rope_type", "default")
    named = draw.choice(["type", "rope_type"])
    config["rope_scaling"] = None if kind == "default" else {named: kind, **rope}


def _drop_defaults(draw, config, defaults):
    for name in sorted(config):
        same = name in defaults and defaults[name] == config[name]
        if same and name != "model_type" and draw.random() < 0.5:
            del config[name]


def _spell_old_dtype(draw, config, defaults):
    if "dtype" in config:
        config["torch_dtype"] = config.pop("dtype")


def _null(draw, config, defaults):
    """Fields that make no tensor and may be null."""
    names = (
        "attn_logit_softcapping",
        "clip_qkv",
        "final_logit_softcapping",
        "pad_token_id",
        "sliding_window",
    )
    present = sorted(set(names) & set(config))
    if present:
        config[draw.choice(present)] = None


def _add_strangers(draw, config, defaults):
    config["some_field"] = {"deep": [1, None, {"rope_theta": 3}]}
    config["_name_or_path"] = "somewhere"
    config["transformers_version"] = "4.38.1"


def edited(draw, config, defaults):
    """The config spelled otherwise: keys missing, flat, null, old or unknown."""
    out = copy.deepcopy(config)
    for edit in (
        lambda d, c, _: _flatten_rope(d, c),
        _drop_defaults,
        _null,
        _spell_old_dtype,
        _add_strangers,
    ):
        if draw.random() < 0.5:
            edit(draw, out, defaults)
    return out

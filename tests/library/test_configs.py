"""Configs beyond the defaults mean to us what they mean to transformers."""

import json
import random

import pytest

HEAD = 32  # of the tiny models' attention


def rope(kind, **more):
    return {"rope_parameters": {"rope_type": kind, "rope_theta": 6929.0, **more}}


def longrope(original, **more):
    short = [1.0 + 0.05 * i for i in range(HEAD // 2)]
    long = [1.5 + 0.4 * i for i in range(HEAD // 2)]
    return {
        "max_position_embeddings": 512,
        **rope(
            "longrope",
            short_factor=short,
            long_factor=long,
            original_max_position_embeddings=original,
            **more,
        ),
    }


# Prompts have 9 and 14 tokens: thresholds lie before, between and after them.
ROPES = {
    "linear": rope("linear", factor=2.5),
    "dynamic_before": {"max_position_embeddings": 6, **rope("dynamic", factor=2.0)},
    "dynamic_between": {"max_position_embeddings": 11, **rope("dynamic", factor=2.0)},
    "dynamic_after": {"max_position_embeddings": 64, **rope("dynamic", factor=2.0)},
    "llama3": rope(
        "llama3",
        factor=8.0,
        low_freq_factor=1.0,
        high_freq_factor=4.0,
        original_max_position_embeddings=32,
    ),
    "yarn": rope("yarn", factor=4.0, original_max_position_embeddings=16),
    "yarn_scales": rope(
        "yarn",
        factor=4.0,
        original_max_position_embeddings=16,
        mscale=0.7,
        mscale_all_dim=1.3,
        beta_fast=16,
        beta_slow=2,
    ),
    "yarn_exact": rope(
        "yarn",
        factor=3.0,
        original_max_position_embeddings=16,
        attention_factor=0.8,
        truncate=False,
    ),
    "longrope_before": longrope(6),
    "longrope_between": longrope(11),
    "longrope_after": longrope(64),
    "longrope_factor": longrope(11, factor=4.0),
    "longrope_attention": longrope(11, attention_factor=1.2),
}
CONFIGS = {
    "llama": {
        **ROPES,
        "biases": {"attention_bias": True, "mlp_bias": True},
        "tied": {"tie_word_embeddings": True},
        "one_kv_head": {"num_key_value_heads": 1},
        "all_kv_heads": {"num_key_value_heads": 6},
        "gelu": {"hidden_act": "gelu"},
        "relu2": {"hidden_act": "relu2"},
        "narrow_heads": {"head_dim": 12},
    },
    "qwen2": {
        "yarn": ROPES["yarn"],
        "window": {"use_sliding_window": True, "sliding_window": 5},
        "wide_window": {"use_sliding_window": True, "sliding_window": 100},
        "one_window_layer": {
            "use_sliding_window": True,
            "sliding_window": 4,
            "layer_types": ["full_attention", "sliding_attention", "full_attention"],
        },
    },
    "mistral": {
        "window": {"sliding_window": 5},
        "no_window": {"sliding_window": None},
        "llama3": ROPES["llama3"],
    },
    "phi3": {
        "partial": rope("default", partial_rotary_factor=0.5),
        "window": {"sliding_window": 6},
    },
    "qwen3_moe": {
        "normed": {"norm_topk_prob": True},
        "some_dense": {"mlp_only_layers": [1]},
        "every_second": {"decoder_sparse_step": 2},
        "one_expert": {"num_experts_per_tok": 1},
    },
    "mixtral": {"window": {"sliding_window": 5}, "top_one": {"num_experts_per_tok": 1}},
    "gpt_neox": {
        "sequential": {"use_parallel_residual": False},
        "no_bias": {"attention_bias": False},
        "partial": rope("default", partial_rotary_factor=0.5),
    },
    "falcon": {
        "new": {"new_decoder_architecture": True, "num_kv_heads": 2},
        "many_heads": {"multi_query": False},
        "alibi": {"alibi": True},
        "sequential": {"parallel_attn": False, "bias": True},
    },
    "gpt2": {
        "scaled": {"scale_attn_by_inverse_layer_idx": True},
        "unscaled": {"scale_attn_weights": False},
        "relu": {"activation_function": "relu"},
    },
    "deepseek_v3": {
        "no_q_lora": {"q_lora_rank": None},
        "halves": {"rope_interleave": False},
        "one_group": {"n_group": 1, "topk_group": 1},
        "raw_weights": {"norm_topk_prob": False},
        "yarn": rope(
            "yarn",
            factor=4.0,
            original_max_position_embeddings=16,
            mscale=1.0,
            mscale_all_dim=1.0,
        ),
    },
    "gemma2": {
        "no_softcaps": {
            "attn_logit_softcapping": None,
            "final_logit_softcapping": None,
        },
        "wide_window": {"sliding_window": 64},
    },
    "gemma3_text": {"wide_window": {"sliding_window": 64}},
    "stablelm": {
        "parallel": {"use_parallel_residual": True},
        "normed": {"qk_layernorm": True},
        "bias": {"use_qkv_bias": True},
    },
    "olmo": {"clipped": {"clip_qkv": 1.5}},
    "cohere": {"normed": {"use_qk_norm": True}},
    "opt": {"norm_after": {"do_layer_norm_before": False}},
    "bloom": {"norm_residual": {"apply_residual_connection_post_layernorm": True}},
    "granite": {"plain": {"residual_multiplier": 1.0, "attention_multiplier": 0.2}},
    "smollm3": {"no_rope": {"no_rope_layers": [1, 0, 1]}},
}
CASES = [(model, name) for model in CONFIGS for name in CONFIGS[model]]
SAMPLE = 10


def pytest_generate_tests(metafunc):
    """With --all-types every case, else a few that a fixed seed picks."""
    if "case" in metafunc.fixturenames:
        everything = metafunc.config.getoption("--all-types")
        cases = CASES if everything else random.Random(20).sample(CASES, SAMPLE)
        metafunc.parametrize("case", cases, ids=["-".join(c) for c in cases])


def test_equals_torch(case, made, loaded, agree):
    model_type, name = case
    folder = made(model_type, **CONFIGS[model_type][name])
    agree(loaded(folder), folder)


@pytest.mark.parametrize("seed", range(3))
def test_two_changes_at_once(seed, made, loaded, agree):
    """Ropes and the rest of llama's fields do not know of each other."""
    draw = random.Random(seed)
    others = [name for name in CONFIGS["llama"] if name not in ROPES]
    changes = {**ROPES[draw.choice(sorted(ROPES))]}
    for name in draw.sample(others, 2):
        if name != "narrow_heads":  # longrope's factors fit one width
            changes.update(CONFIGS["llama"][name])
    folder = made("llama", **changes)
    agree(loaded(folder), folder)


EDITS = {
    "missing rope": lambda c: c.pop("rope_parameters"),
    "flat rope": lambda c: c.update(
        rope_theta=c.pop("rope_parameters")["rope_theta"], rope_scaling=None
    ),
    "old scaling": lambda c: c.update(
        rope_theta=c.pop("rope_parameters")["rope_theta"],
        rope_scaling={"type": "linear", "factor": 2.0},
    ),
    "null kv heads": lambda c: c.update(num_key_value_heads=6, head_dim=None),
    "missing eps": lambda c: c.pop("rms_norm_eps"),
    "unknown field": lambda c: c.update(some_field={"deep": [1, None]}),
    "torch_dtype": lambda c: c.update(torch_dtype=c.pop("dtype", "float32")),
}


@pytest.mark.parametrize("edit", EDITS)
def test_keys_missing_null_and_old(edit, made, loaded, agree, tmp_path):
    sizes = {"num_key_value_heads": 6, "head_dim": 16}
    folder = made("llama", **(sizes if edit == "null kv heads" else {}))
    config = json.loads((folder / "config.json").read_text())
    EDITS[edit](config)
    (folder / "config.json").write_text(json.dumps(config))
    agree(loaded(folder), folder, parts=["full"])


def test_quantized_checkpoints_are_refused(made, portwright, tmp_path):
    folder = made("llama")
    config = json.loads((folder / "config.json").read_text())
    config["quantization_config"] = {"quant_method": "gptq", "bits": 4}
    (folder / "config.json").write_text(json.dumps(config))
    done = portwright(
        "run", folder, "--ids", "1,2", "--logits", tmp_path / "x.npy", "--json"
    )
    assert done.returncode == 3, done.stderr
    hole = json.loads(done.stdout)["holes"][0]
    assert "quantization_config" in hole["message"] and "gptq" in hole["message"]

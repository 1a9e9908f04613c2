"""One file serves the variants of its architecture: drawn configs, proven in process.

Each config is written as transformers 5 or as 4 writes it, some of its optional
keys absent or null. The file has to be right for every one of them.
"""

import json
import random
from pathlib import Path

import pytest

from .rope_cases import by_kind, flat, nested
from .test_in_process import prove  # noqa: F401

GOLDENS = Path(__file__).parent / "testdata"
DRAWS = 6
DEFAULT = {"rope_type": "default"}
LINEAR = {"rope_type": "linear", "factor": 3.0}
SLIDING = {
    "use_sliding_window": True,
    "sliding_window": 8,
    "max_window_layers": 1,
    "layer_types": None,
}
ACTS = ["gelu", "gelu_new", "gelu_pytorch_tanh", "quick_gelu", "relu", "silu"]

# What each choice sets; a config takes one of each.
VARIANTS = {
    "llama": [
        [{}, {"attention_bias": True}],
        [{}, {"mlp_bias": True}],
        [{}, {"head_dim": 20}, {"head_dim": None}],
    ],
    "qwen2": [[{}, SLIDING]],
    "qwen3": [[{}, SLIDING], [{}, {"attention_bias": True}]],
    "phi3": [[{}, {"sliding_window": 8}]],
    "starcoder2": [
        [{}, {"sliding_window": 8}],
        [{}, {"use_bias": False}],
        [{"hidden_act": act} for act in ACTS],
    ],
    "mixtral": [[{}, {"sliding_window": 8}], [{}, {"head_dim": 20}]],
    "qwen3_moe": [
        [{}, {"norm_topk_prob": True}],
        [{}, {"mlp_only_layers": [1]}, {"decoder_sparse_step": 2}],
        [{}, {"use_sliding_window": True, "sliding_window": 8}],
    ],
    "olmoe": [
        [{}, {"clip_qkv": 0.5}, {"clip_qkv": None}],
        [{}, {"norm_topk_prob": True}],
    ],
    "gemma2": [
        [{}, {"attn_logit_softcapping": None}],
        [{}, {"final_logit_softcapping": None}],
        [{"hidden_activation": act} for act in ACTS],
    ],
    "gpt_neox": [
        [{}, {"use_parallel_residual": False}],
        [{}, {"attention_bias": False}],
        [{"hidden_act": act} for act in ACTS],
    ],
}
# Their files say that they do no other.
DEFAULT_ROPE = {"phi3"}
# What transformers 4 called them.
FORMER = {
    "gpt_neox": {"rope_theta": "rotary_emb_base", "partial_rotary_factor": "rotary_pct"}
}
# Keys that real configs lack: an older transformers did not write them.
OPTIONAL = ["attention_bias", "mlp_bias", "tie_word_embeddings", "hidden_act"]


def drawn(kind, config, seed):
    rng = random.Random(f"{kind} {seed}")
    for choices in VARIANTS[kind]:
        config = {**config, **rng.choice(choices)}
    if rng.random() < 0.5:
        config["tie_word_embeddings"] = not config.get("tie_word_embeddings", False)
    form = rng.choice([nested, flat])
    ropes = [DEFAULT] if kind in DEFAULT_ROPE else [DEFAULT, LINEAR]
    config = form(config, rng.choice(ropes))
    if form is flat:
        for now, then in FORMER.get(kind, {}).items():
            config[then] = config.pop(now)
    named = {key for choices in VARIANTS[kind] for one in choices for key in one}
    for key in OPTIONAL:
        if key not in named and rng.random() < 0.3:
            config.pop(key, None)
    for key in [key for key in config if config[key] is None and rng.random() < 0.5]:
        del config[key]
    return config


@pytest.mark.parametrize("kind", VARIANTS)
def test_drawn_variants_are_served(kind, checkpoint, prove, tmp_path):  # noqa: F811
    base = json.loads((checkpoint(kind) / "config.json").read_text())
    files = []
    for seed in range(DRAWS):
        files.append(tmp_path / f"{seed}.json")
        files[-1].write_text(json.dumps(drawn(kind, dict(base), seed)))
    for file, proof in zip(files, prove(GOLDENS / f"{kind}.py", *files)):
        assert proof["verdict"] == "passed", f"{proof['reason']}\n{file.read_text()}"


def test_how_pairs_are_rotated_is_a_choice_of_the_file(
    checkpoint, portwright, tmp_path
):
    file = tmp_path / "port.py"
    done = portwright("compile", checkpoint("deepseek_v3"), "-o", file, "--fast")
    assert done.returncode == 0, done.stderr
    assert "rope_interleave" in file.read_text()


def test_counts_of_heads_on_both_sides_of_a_power_of_two_are_served(
    checkpoint, portwright, prove, tmp_path  # noqa: F811
):
    config = json.loads((checkpoint("bloom") / "config.json").read_text())
    assert config["n_head"] == 6
    file = tmp_path / "port.py"
    done = portwright("compile", checkpoint("bloom"), "-o", file, "--fast")
    assert done.returncode == 0, done.stderr
    others = []
    for heads in (2, 4, 12):
        others.append(tmp_path / f"{heads}.json")
        others[-1].write_text(json.dumps({**config, "n_head": heads}))
    for proof in prove(file, *others):
        assert proof["verdict"] == "passed", proof["reason"]


def test_a_key_that_the_config_class_ignores_is_ignored(
    checkpoint, prove, tmp_path  # noqa: F811
):
    config = json.loads((checkpoint("gpt_neox") / "config.json").read_text())
    config.pop("rope_parameters")
    file = tmp_path / "config.json"
    file.write_text(json.dumps({**config, "rope_theta": 321.0, "rotary_pct": 0.5}))
    [proof] = prove(GOLDENS / "gpt_neox.py", file)
    assert proof["verdict"] == "passed", proof["reason"]


def test_scores_are_scaled_by_what_yarn_asks_for(
    emitted, checkpoint, prove, tmp_path  # noqa: F811
):
    """Released checkpoints of this kind have it; the class's own config has not."""
    config = json.loads((checkpoint("deepseek_v3") / "config.json").read_text())
    config["rope_parameters"] = {
        "rope_theta": 10000.0,
        "rope_type": "yarn",
        "factor": 40.0,
        "original_max_position_embeddings": 64,
        "mscale": 1.0,
        "mscale_all_dim": 0.7,
    }
    port, given = tmp_path / "port.py", tmp_path / "config.json"
    port.write_text(emitted("deepseek_v3"))
    given.write_text(json.dumps(config))
    (proof,) = prove(port, given)
    assert proof["verdict"] == "passed", proof["reason"]
    assert "apply_yarn_mscale(" in port.read_text()


YARN = {"rope_type": "yarn", "factor": 4.0, "original_max_position_embeddings": 64}


def test_each_option_of_yarn_reaches_scores_and_turns(
    emitted, checkpoint, prove, tmp_path  # noqa: F811
):
    """Alone, mscale_all_dim scales the scores, and the turns are those of neither."""
    config = json.loads((checkpoint("deepseek_v3") / "config.json").read_text())
    port = tmp_path / "port.py"
    port.write_text(emitted("deepseek_v3"))
    files = []
    for more in ({"mscale": 0.7}, {"mscale_all_dim": 0.8}, {}):
        files.append(tmp_path / f"{len(files)}.json")
        files[-1].write_text(json.dumps(nested(dict(config), {**YARN, **more})))
    for proof in prove(port, *files):
        assert proof["verdict"] == "passed", proof["reason"]


@pytest.mark.parametrize("kind", ["qwen3", "gemma3_text"])
def test_a_rope_that_follows_the_length_is_served(
    kind, emitted, checkpoint, prove, tmp_path  # noqa: F811
):
    """Also where the rows of a batch are not equally long."""
    config = json.loads((checkpoint(kind) / "config.json").read_text())
    config["max_position_embeddings"] = 8
    dynamic = {"rope_type": "dynamic", "factor": 3.0}
    form = by_kind if kind == "gemma3_text" else nested
    port, given = tmp_path / "port.py", tmp_path / "config.json"
    port.write_text(emitted(kind))
    given.write_text(json.dumps(form(config, dynamic)))
    (proof,) = prove(port, given)
    assert proof["verdict"] == "passed", proof["reason"]


def test_ropes_of_other_types_turn_by_a_base_of_each_layer(
    emitted, checkpoint, prove, tmp_path  # noqa: F811
):
    """The source puts its layers' own base into the rotary parameters."""
    config = json.loads((checkpoint("granite_swa") / "config.json").read_text())
    count = config["num_hidden_layers"]
    config["layer_rope_theta"] = [float(500 + 300 * i) for i in range(count)]
    config["max_position_embeddings"] = 8
    port = tmp_path / "port.py"
    port.write_text(emitted("granite_swa"))
    files = []
    for rope in (DEFAULT, LINEAR, YARN, {"rope_type": "dynamic", "factor": 3.0}):
        files.append(tmp_path / f"{rope['rope_type']}.json")
        files[-1].write_text(json.dumps(nested(dict(config), rope)))
    for proof in prove(port, *files):
        assert proof["verdict"] == "passed", proof["reason"]


def test_a_tied_head_stands_behind_the_layers_before_it(
    checkpoint, portwright, tmp_path
):
    """It holds no weight of its own; the module before it does."""
    config = json.loads((checkpoint("modernbert-decoder") / "config.json").read_text())
    more = {"decoder_bias": False, "tie_word_embeddings": True}
    (tmp_path / "config.json").write_text(json.dumps({**config, **more}))
    done = portwright("compile", tmp_path, "-o", tmp_path / "port.py", "--fast")
    assert done.returncode == 0, done.stderr


def test_a_table_without_a_row_for_padding_is_served(
    emitted, checkpoint, prove, tmp_path  # noqa: F811
):
    """A row is zero only where the config names one; an index of None means all rows."""
    config = json.loads((checkpoint("xglm") / "config.json").read_text())
    port, given = tmp_path / "port.py", tmp_path / "config.json"
    port.write_text(emitted("xglm"))
    given.write_text(json.dumps({**config, "pad_token_id": None}))
    (proof,) = prove(port, given)
    assert proof["verdict"] == "passed", proof["reason"]


@pytest.mark.parametrize("groups", [2, 3, 6])
def test_an_extent_of_a_choice_of_fields_is_none_of_the_batch(
    groups, emitted, checkpoint, prove, tmp_path  # noqa: F811
):
    """heads // groups + 2, where the groups are 1 without the other architecture."""
    config = json.loads((checkpoint("falcon") / "config.json").read_text())
    assert config["num_attention_heads"] == 6
    port, given = tmp_path / "port.py", tmp_path / "config.json"
    port.write_text(emitted("falcon"))
    more = {"new_decoder_architecture": True, "num_kv_heads": groups}
    given.write_text(json.dumps({**config, **more}))
    (proof,) = prove(port, given)
    assert proof["verdict"] == "passed", proof["reason"]


@pytest.mark.parametrize("tied", [True, False])
def test_a_head_has_a_bias_where_the_config_says_so(
    tied, emitted, checkpoint, prove, tmp_path  # noqa: F811
):
    """Also beside the embedding's weight, which it holds as its own then."""
    config = json.loads((checkpoint("zaya") / "config.json").read_text())
    assert not config["lm_head_bias"]
    port, given = tmp_path / "port.py", tmp_path / "config.json"
    port.write_text(emitted("zaya"))
    more = {"lm_head_bias": True, "tie_word_embeddings": tied}
    given.write_text(json.dumps({**config, **more}))
    (proof,) = prove(port, given)
    assert proof["verdict"] == "passed", proof["reason"]


def test_a_rope_that_the_source_does_not_run_is_refused(emitted):
    """Mixtral's config has a head_dim that is null, which the library multiplies."""
    text = emitted("mixtral")
    assert '"llama3"' in text
    assert '"dynamic"' not in text


def test_options_of_yarn_are_served_as_the_library_reads_them(
    checkpoint, prove, tmp_path  # noqa: F811
):
    """Each mscale counts beside the other alone, and an attention_factor above both."""
    options = [
        {"mscale": 0.7},
        {"mscale_all_dim": 0.8},
        {"mscale": 0.7, "mscale_all_dim": 0.8},
        {"mscale": 0.7, "mscale_all_dim": 0.8, "attention_factor": 1.1},
        {"truncate": True},
        {"truncate": False},
    ]
    config = json.loads((checkpoint("qwen3") / "config.json").read_text())
    files = [tmp_path / f"{i}.json" for i in range(len(options))]
    for file, more in zip(files, options):
        file.write_text(json.dumps(nested(dict(config), {**YARN, **more})))
    *served, untruncated = prove(GOLDENS / "qwen3.py", *files)
    for proof in served:
        assert proof["verdict"] == "passed", proof["reason"]
    assert untruncated["verdict"] == "guarded"
    assert "yarn without truncate is not supported" in untruncated["reason"]


def test_choices_of_one_factor_are_served_in_all_pairs(
    emitted, checkpoint, prove, tmp_path  # noqa: F811
):
    """The factor is one without the first, and in the first layer with the second."""
    config = json.loads((checkpoint("gpt2") / "config.json").read_text())
    first, second, third = choices = [
        {"scale_attn_weights": False},
        {"scale_attn_by_inverse_layer_idx": True},
        {"reorder_and_upcast_attn": True},
    ]
    port = tmp_path / "port.py"
    port.write_text(emitted("gpt2"))
    files = []
    for more in (*choices, first | second, first | third, second | third):
        files.append(tmp_path / f"{len(files)}.json")
        files[-1].write_text(json.dumps({**config, **more}))
    for proof in prove(port, *files):
        assert proof["verdict"] == "passed", proof["reason"]


def test_a_field_that_may_be_null_need_not_be_given(
    emitted, checkpoint, prove, tmp_path  # noqa: F811
):
    config = json.loads((checkpoint("gemma4_text") / "config.json").read_text())
    assert config.pop("final_logit_softcapping")
    port, given = tmp_path / "port.py", tmp_path / "config.json"
    port.write_text(emitted("gemma4_text"))
    given.write_text(json.dumps(config))
    (proof,) = prove(port, given)
    assert proof["verdict"] == "passed", proof["reason"]


# What released checkpoints of a type have, and the tiny one has not.
RELEASED = {
    "a-dense-layer-after-each-with-experts": (
        "llama4_text",
        {"moe_layers": [0, 2]},
    ),
    "rotations-by-a-text-that-may-be-null": (
        "granitemoehybrid",
        {"position_embedding_type": "rope"},
    ),
    "a-choice-of-experts-before-the-one-that-is-asked-for": (
        "deepseek_v2",
        {"topk_method": "greedy"},
    ),
    "experts-with-numbers-that-others-leave-out": (
        "gemma4_text",
        {
            "enable_moe_block": True,
            "num_experts": 6,
            "top_k_experts": 2,
            "moe_intermediate_size": 40,
        },
    ),
}


@pytest.mark.parametrize("kind, changes", RELEASED.values(), ids=RELEASED)
def test_what_released_checkpoints_have_is_served(
    kind, changes, emitted, checkpoint, prove, tmp_path  # noqa: F811
):
    config = json.loads((checkpoint(kind) / "config.json").read_text())
    port, given = tmp_path / "port.py", tmp_path / "config.json"
    port.write_text(emitted(kind))
    given.write_text(json.dumps({**config, **changes}))
    (proof,) = prove(port, given)
    assert proof["verdict"] == "passed", proof["reason"]


def test_a_switch_that_the_file_serves_one_way_is_refused_the_other(
    emitted, checkpoint, prove, tmp_path  # noqa: F811
):
    """With biases its first delayed value is no zero, which the port starts with."""
    config = json.loads((checkpoint("zaya") / "config.json").read_text())
    assert not config["attention_bias"]
    port, given = tmp_path / "port.py", tmp_path / "config.json"
    port.write_text(emitted("zaya"))
    given.write_text(json.dumps({**config, "attention_bias": True}))
    (proof,) = prove(port, given)
    assert proof["verdict"] == "guarded"
    assert "configs with attention_bias are not supported" in proof["reason"]


def test_a_flat_set_that_the_config_class_is_given_too_late_is_ignored(
    emitted, checkpoint, prove, tmp_path  # noqa: F811
):
    """The class makes its set first, so that transformers turns by the default."""
    config = json.loads((checkpoint("cohere2_moe") / "config.json").read_text())
    rope = config.pop("rope_parameters")
    config["rope_theta"] = rope["rope_theta"]
    config["rope_scaling"] = {"rope_type": "linear", "factor": 8.0}
    port, given = tmp_path / "port.py", tmp_path / "config.json"
    port.write_text(emitted("cohere2_moe"))
    given.write_text(json.dumps(config))
    (proof,) = prove(port, given)
    assert proof["verdict"] == "passed", proof["reason"]

"""A file compiled from a config serves that config, whatever its fields say."""

import json

import pytest

from .rope_cases import longrope

# What of the tiny config is otherwise; rotary sets are put into its own.
CONFIGS = {
    "a length that ends among the ids of the proof": (
        "llama",
        {"rope_parameters": longrope(16, original_max_position_embeddings=6)},
    ),
    "a type of rope that only a part left out would take": (
        "zamba2",
        {
            "rope_parameters": {
                "rope_type": "llama3",
                "factor": 1.5,
                "low_freq_factor": 1.0,
                "high_freq_factor": 4.0,
                "original_max_position_embeddings": 64,
            }
        },
    ),
    "a field that the model's own code writes where it is null": (
        "falcon",
        {
            "new_decoder_architecture": True,
            "num_ln_in_parallel_attn": None,
            "num_attention_heads": 8,
            "num_kv_heads": 2,
        },
    ),
    "a type of rope in a rotation of the source's own": (
        "nanochat",
        {
            "rope_parameters": {
                "rope_type": "llama3",
                "factor": 2.0,
                "low_freq_factor": 1.0,
                "high_freq_factor": 4.0,
                "original_max_position_embeddings": 128,
            }
        },
    ),
}


def changed(config, changes):
    out = {**config, **changes}
    if "rope_parameters" in changes:
        out["rope_parameters"] = {
            **(config.get("rope_parameters") or {}),
            **changes["rope_parameters"],
        }
    return out


@pytest.mark.parametrize("case", CONFIGS)
def test_own_config_is_served(case, checkpoint, portwright, tmp_path):
    kind, changes = CONFIGS[case]
    config = json.loads((checkpoint(kind) / "config.json").read_text())
    folder = tmp_path / kind
    folder.mkdir()
    (folder / "config.json").write_text(json.dumps(changed(config, changes)))
    done = portwright("compile", folder, "-o", tmp_path / "port.py", "--fast")
    assert done.returncode == 0, done.stderr


def test_a_config_that_the_file_itself_refuses_is_refused(
    checkpoint, portwright, tmp_path
):
    """Its rotation is the source's own formula, of which this option is no part."""
    config = json.loads((checkpoint("nanochat") / "config.json").read_text())
    yarn = {
        "rope_type": "yarn",
        "factor": 4.0,
        "original_max_position_embeddings": 64,
        "truncate": False,
    }
    folder = tmp_path / "nanochat"
    folder.mkdir()
    fields = changed(config, {"rope_parameters": yarn})
    (folder / "config.json").write_text(json.dumps(fields))
    done = portwright("compile", folder, "-o", tmp_path / "port.py", "--fast", "--json")
    assert done.returncode == 3, done.stderr
    (hole,) = json.loads(done.stdout)["holes"]
    assert hole["message"] == "ValueError: yarn without truncate is not supported"


def test_a_mask_that_lets_tokens_see_later_ones_is_refused(
    checkpoint, portwright, tmp_path
):
    config = json.loads((checkpoint("gemma3_text") / "config.json").read_text())
    folder = tmp_path / "gemma3_text"
    folder.mkdir()
    fields = {**config, "use_bidirectional_attention": True}
    (folder / "config.json").write_text(json.dumps(fields))
    done = portwright("compile", folder, "-o", tmp_path / "port.py", "--fast", "--json")
    assert done.returncode == 3, done.stderr
    (hole,) = json.loads(done.stdout)["holes"]
    assert hole["message"] == (
        "tokens see more than the mask of 'create_causal_mask': "
        "it is given an or_mask_function"
    )

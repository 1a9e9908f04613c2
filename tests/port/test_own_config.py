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
}


def changed(config, changes):
    out = {**config, **changes}
    if "rope_parameters" in changes:
        out["rope_parameters"] = {
            **config["rope_parameters"],
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

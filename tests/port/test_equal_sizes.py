"""Numbers of a config that happen to be the same: a line that reads one of them must not
be written with the other."""

import json

import pytest

from .test_in_process import prove  # noqa: F401
from .test_released_configs import parameters_of_port, parameters_of_source

TIED = {
    "mixtral": ("hidden_size", "intermediate_size"),
    "deepseek_v3": ("hidden_size", "moe_intermediate_size"),
    "gpt_oss": ("hidden_size", "intermediate_size"),
}


@pytest.mark.parametrize("kind", TIED)
def test_the_file_serves_configs_where_they_differ(
    kind, checkpoint, portwright, tmp_path
):
    config = json.loads((checkpoint(kind) / "config.json").read_text())
    one, other = TIED[kind]
    tied = tmp_path / "tied"
    tied.mkdir()
    (tied / "config.json").write_text(json.dumps({**config, other: config[one]}))
    file = tmp_path / "port.py"
    done = portwright("compile", tied, "-o", file, "--fast")
    assert done.returncode == 0, done.stderr
    assert config[one] != config[other]
    apart = tmp_path / "apart"
    apart.mkdir()
    (apart / "config.json").write_text(json.dumps(config))
    assert parameters_of_port(file, config) == parameters_of_source(apart)


# By type: the config it is compiled from, and another one that the file serves.
BY_CHANCE = {
    # What is kept for one convolution is as long as for the other and this.
    "zaya": (
        {"cca_time0": 2, "cca_time1": 2, "head_dim": 32},
        {"cca_time0": 4, "cca_time1": 3},
    ),
    # The model is widened by as much as there are heads of states.
    "zamba": ({"mamba_expand": 2}, {"mamba_expand": 4}),
    # Three quarters of a head are even, slightly more of twice as many are not.
    "qwen3_5_moe_text": (
        {
            "head_dim": 40,
            "rope_parameters": {
                "rope_theta": 6929.0,
                "rope_type": "default",
                "partial_rotary_factor": 0.75,
            },
        },
        {"head_dim": 32},
    ),
}


@pytest.mark.parametrize("kind", BY_CHANCE)
def test_the_file_of_numbers_that_are_equal_by_chance_serves_others(
    kind, checkpoint, portwright, prove, tmp_path  # noqa: F811
):
    config = json.loads((checkpoint(kind) / "config.json").read_text())
    chance, others = tmp_path / "chance.json", tmp_path / "others.json"
    equal, different = BY_CHANCE[kind]
    chance.write_text(json.dumps({**config, **equal}))
    others.write_text(json.dumps({**config, **different}))
    (tmp_path / "config.json").write_text(chance.read_text())
    file = tmp_path / "port.py"
    done = portwright("compile", tmp_path, "-o", file, "--fast")
    assert done.returncode == 0, done.stderr
    for proof in prove(file, chance, others):
        assert proof["verdict"] == "passed", proof["reason"]

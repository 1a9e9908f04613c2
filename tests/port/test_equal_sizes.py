"""Two sizes of a config that happen to be the same: a line that reads one of them must
not be written with the other."""

import json

import pytest

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

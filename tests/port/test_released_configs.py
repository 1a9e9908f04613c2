"""Configs in the sizes of released models, which no machine of a test could load: they
are compiled and proven in small sizes, and what was made of those serves the large."""

import importlib.util
import json
import shutil
import sys
from pathlib import Path

import pytest

from .conftest import answer

CONFIGS = {p.stem: p for p in sorted((Path(__file__).parent / "released").glob("*"))}


def parameters_of_port(file, config):
    """How many numbers the port holds; MLX makes no array before it is read."""
    from mlx.utils import tree_flatten

    name = f"mlx_lm.models.released_{file.stem}"
    spec = importlib.util.spec_from_file_location(name, file)
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    model = module.Model(module.ModelArgs.from_dict(config))
    return sum(array.size for _, array in tree_flatten(model.parameters()))


def parameters_of_source(folder):
    from transformers import AutoConfig, AutoModelForCausalLM

    import torch

    config = AutoConfig.from_pretrained(folder)
    if hasattr(config, "quantization_config"):
        del config.quantization_config
    with torch.device("meta"):
        model = AutoModelForCausalLM.from_config(config)
    kept = {n for n in model.state_dict() if "inv_freq" not in n}
    tied = set(model.all_tied_weights_keys)
    return sum(t.numel() for n, t in model.state_dict().items() if n in kept - tied)


@pytest.mark.parametrize("name", CONFIGS)
def test_the_file_is_proven_and_holds_what_the_source_does(name, portwright, tmp_path):
    folder, file = tmp_path / "model", tmp_path / "port.py"
    folder.mkdir()
    shutil.copy(CONFIGS[name], folder / "config.json")
    done = portwright("compile", folder, "-o", file, "--fast", "--json")
    assert done.returncode == 0, done.stderr
    proof = answer(done)["proof"]["in_process"]
    assert proof["verdict"] == "passed", proof["reason"]
    config = json.loads(CONFIGS[name].read_text())
    assert parameters_of_port(file, config) == parameters_of_source(folder)

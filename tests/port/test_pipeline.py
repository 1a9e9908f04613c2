"""Machines that hold some of the layers each, where mlx_lm looks for it."""

import json
import os
import random
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from safetensors.numpy import load_file, save_file
from verify.conftest import check_of

LAUNCH = "from mlx._distributed_utils.launch import main; main()"


# The first layers have no experts; layers of two kinds, all with experts.
@pytest.mark.parametrize("kind", ["deepseek_v3", "qwen3_next"])
def test_two_machines_compute_what_torch_does(kind, bench, checkpoint, plant):
    port = plant(kind, [])
    assert "PipelineMixin" in port.read_text()
    results = bench(checkpoint=checkpoint(kind), port=port, checks=["sharded"])
    found = check_of(results, "sharded")
    assert found["status"] == "pass", found


def test_the_check_sees_caches_of_other_layers(bench, checkpoint, plant):
    kept = [(r"self\.layer_types\[self\.start_idx.*\]", "self.layer_types")]
    port = plant("qwen3_next", kept)
    request = {"checkpoint": checkpoint("qwen3_next"), "checks": ["sharded"]}
    found = check_of(bench(port=port, **request), "sharded")
    assert found["status"] == "fail", found


def test_a_dense_port_has_none(emitted):
    assert "pipeline" not in emitted("llama")


def files_by_layer(checkpoint, folder):
    """The checkpoint with a file for each layer, and one for the rest."""
    folder.mkdir()
    for file in checkpoint.iterdir():
        if file.suffix != ".safetensors":
            shutil.copy(file, folder)
    parts = {}
    for file in checkpoint.glob("*.safetensors"):
        for name, value in load_file(file).items():
            layer = re.search(r"layers\.(\d+)\.", name)
            part = f"model-{layer[1] if layer else 'rest'}.safetensors"
            parts.setdefault(part, {})[name] = value
    for part, weights in parts.items():
        save_file(weights, folder / part)
    index = {name: part for part, weights in parts.items() for name in weights}
    text = json.dumps({"weight_map": index})
    (folder / "model.safetensors.index.json").write_text(text)
    return len(parts) - 1


@pytest.mark.parametrize("kind", ["mixtral", "deepseek_v3"])
def test_sharded_load_needs_the_files_of_its_layers_alone(
    kind, checkpoint, plant, tmp_path, root
):
    whole = tmp_path / "whole"
    layers = files_by_layer(checkpoint(kind), whole)
    first = layers // 2  # of two processes the second one has the first layers
    for rank, others in enumerate([range(first), range(first, layers)]):
        folder = shutil.copytree(whole, tmp_path / f"rank{rank}")
        for layer in others:
            (folder / f"model-{layer}.safetensors").unlink()
    task = [tmp_path, kind, plant(kind, [])]
    done = subprocess.run(
        [
            *(sys.executable, "-c", LAUNCH, "-n", "2", "--backend", "ring"),
            *("--starting-port", str(random.randrange(20000, 50000, 10)), "--"),
            *(sys.executable, Path(__file__).with_name("pipeline_rank.py"), *task),
        ],
        env={**os.environ, "PYTHONPATH": str(root / "python")},
        capture_output=True,
        text=True,
        timeout=300,
    )
    answer = tmp_path / "answer.json"
    assert answer.exists(), done.stderr[-3000:]
    found = json.loads(answer.read_text())
    assert found["error"] < 1e-5
    assert found["layers"] == layers - first

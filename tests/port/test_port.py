"""Every type comes out proven, in files that read as written by hand."""

import json
import shutil
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

from .conftest import TYPES, answer

PROVEN = {"weights", "logits", "decode", "chunked_prefill", "batch"}


@pytest.fixture(scope="session")
def ported(portwright, tmp_path_factory):
    """(the finished `port TYPE -o DIR --json`, DIR), run once a type."""
    done = {}

    def port(kind):
        if kind not in done:
            out = tmp_path_factory.mktemp("ported") / kind
            done[kind] = portwright("port", kind, "-o", out, "--json"), out
        return done[kind]

    return port


@pytest.mark.parametrize("kind", TYPES)
def test_port_proves(kind, ported):
    done, out = ported(kind)
    assert done.returncode == 0, done.stdout + done.stderr
    results = answer(done)
    checks = {c["name"]: c for c in results["checks"]}
    # A form of the config that the file refuses, as its guards say, is told.
    warned = {c["name"] for c in results["checks"] if c["status"] == "warn"}
    assert warned <= {"config"}, results
    assert results["verdict"] == ("warn" if warned else "pass")
    assert PROVEN <= set(checks)
    for name in PROVEN:
        assert checks[name]["status"] == "pass", checks[name]
    for name in PROVEN - {"weights"}:
        assert checks[name]["value"] < 1e-4, checks[name]
    for name in (f"{kind}.py", "report.html", "report.md"):
        assert (out / name).stat().st_size > 200, name
    stored = json.loads((out / "results.json").read_text())
    assert stored["verdict"] == results["verdict"]


@pytest.mark.parametrize(
    "kind, dtype", [("llama", "bfloat16"), ("qwen3_moe", "float16")]
)
def test_a_checkpoint_stored_in_halves(kind, dtype, portwright, checkpoint, tmp_path):
    """As nearly all real ones are: both sides compute in float32."""
    from safetensors.torch import load_file, save_file

    import torch

    folder = shutil.copytree(checkpoint(kind), tmp_path / "halves")
    file = folder / "model.safetensors"
    halves = {k: v.to(getattr(torch, dtype)) for k, v in load_file(file).items()}
    save_file(halves, file, {"format": "pt"})
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**config, "dtype": dtype}))
    done = portwright("port", folder, "-o", tmp_path / "out", "--json")
    assert done.returncode == 0, done.stdout + done.stderr
    checks = {c["name"]: c for c in answer(done)["checks"]}
    for name in PROVEN:
        assert checks[name]["status"] == "pass", checks[name]


@pytest.mark.parametrize("kind", TYPES)
def test_checkpoint_is_self_contained(kind, ported):
    _, out = ported(kind)
    files = {p.name for p in (out / "checkpoint").iterdir()}
    assert {f"{kind}.py", "config.json", "model.safetensors"} <= files
    assert "tokenizer.json" in files
    config = json.loads((out / "checkpoint" / "config.json").read_text())
    assert config["model_file"] == f"{kind}.py"
    model_file = (out / "checkpoint" / f"{kind}.py").read_text()
    # On its own it is no member of mlx_lm's package.
    emitted = (out / f"{kind}.py").read_text()
    assert model_file == emitted.replace("\nfrom .", "\nfrom mlx_lm.models.")


def test_black_and_isort_leave_the_files_alone(ported, tool, tmp_path):
    for kind in TYPES:
        _, out = ported(kind)
        if (out / f"{kind}.py").exists():
            shutil.copy(out / f"{kind}.py", tmp_path)
    assert {p.stem for p in tmp_path.iterdir()} == set(TYPES)
    for command in (
        [tool("black"), "--check", "--diff", "-q"],
        [tool("isort"), "--check", "--diff", "--profile", "black"],
    ):
        done = subprocess.run(
            [*command, tmp_path], capture_output=True, text=True, cwd=tmp_path
        )
        assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("kind", ["qwen3", "mixtral"])
def test_stock_mlx_lm_generates(kind, ported):
    _, out = ported(kind)
    done = subprocess.run(
        [sys.executable, "-m", "mlx_lm.generate", "--model", out / "checkpoint"]
        + ["--trust-remote-code", "-p", "hello", "-m", "4"],
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    assert "Generation: " in done.stdout


IN_THE_PACKAGE = """
import sys
sys.path.insert(0, sys.argv[1])
import mlx_lm
from mlx_lm.utils import _get_classes, load_model
from pathlib import Path
assert Path(mlx_lm.__file__).is_relative_to(sys.argv[1]), mlx_lm.__file__
model, _ = load_model(Path(sys.argv[2]))
home = sys.modules[type(model).__module__].__file__
assert Path(home).is_relative_to(sys.argv[1]), home
import mlx.core as mx
print(model(mx.array([[1, 2, 3]])).shape)
"""


@pytest.mark.parametrize("kind", ["llama", "gemma"])
def test_the_file_works_inside_the_package(kind, ported, tmp_path):
    """As mlx_lm/models/<type>.py of a copy of the package."""
    _, out = ported(kind)
    package = tmp_path / "lib" / "mlx_lm"
    shutil.copytree(Path(find_spec("mlx_lm").origin).parent, package)
    shutil.copy(out / f"{kind}.py", package / "models")
    checkpoint = Path(shutil.copytree(out / "checkpoint", tmp_path / "checkpoint"))
    (checkpoint / f"{kind}.py").unlink()
    config = json.loads((checkpoint / "config.json").read_text())
    del config["model_file"]
    (checkpoint / "config.json").write_text(json.dumps(config))
    done = subprocess.run(
        [sys.executable, "-c", IN_THE_PACKAGE, package.parent, checkpoint],
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("(1, 3, ")

"""`sweep --native`: every causal language model, equal to torch or refused by name."""

import json
import random
from collections import Counter
from pathlib import Path

import pytest

KNOWN = json.loads((Path(__file__).parent / "causal_lms.json").read_text())["types"]
SAMPLE = 8


@pytest.fixture(scope="module")
def sweep(portwright, tmp_path_factory):
    """Runs the verb: its exit code and its table."""

    def call(*arguments, timeout=3600):
        folder = tmp_path_factory.mktemp("sweep")
        done = portwright(
            "sweep", "--native", "-o", folder, *arguments, timeout=timeout
        )
        table = json.loads((folder / "sweep.json").read_text())
        return done, table, folder

    return call


def test_a_sample_is_equal(sweep, request):
    """With --all-types every type; else a few that a fixed seed picks."""
    if request.config.getoption("--all-types"):
        types = sorted(KNOWN)
    else:
        equal = [name for name in sorted(KNOWN) if KNOWN[name]["native"] == "equal"]
        types = sorted(random.Random(20).sample(equal, SAMPLE))
    done, table, _ = sweep(*types)
    found = {name: row["status"] for name, row in table["types"].items()}
    assert found == {name: KNOWN[name]["native"] for name in types}, done.stdout
    assert table["summary"] == dict(Counter(found.values()))


@pytest.mark.parametrize("dtype", ["bfloat16", "float16"])
def test_halves_have_torchs_dtypes_and_noise(dtype, sweep):
    """A scan, experts, softcaps, a residual in float32, layers walked as a set."""
    types = ["dots3_note_text", "gemma2", "llama", "mamba2", "qwen3_moe"]
    done, table, _ = sweep("--dtype", dtype, *types)
    assert table["summary"] == {"equal": len(types)}, done.stderr
    errors = table["types"]["llama"]["errors"]
    assert 0 < errors["noise of full"] < 0.1


def test_the_list_is_complete(sweep, transformers_types):
    assert sorted(KNOWN) == transformers_types


def test_one_bad_type_does_not_end_the_sweep(sweep):
    done, table, folder = sweep("no_such_type", "llama")
    assert done.returncode == 1
    assert table["types"]["llama"]["status"] == "equal"
    assert table["types"]["no_such_type"]["status"] == "no reference"
    assert "neither a local config nor" in table["types"]["no_such_type"]["reason"]
    assert "no_such_type" in (folder / "sweep.html").read_text()
    assert "| llama | equal |" in (folder / "sweep.md").read_text()


def test_resuming_keeps_what_is_done(portwright, tmp_path):
    first = portwright("sweep", "--native", "llama", "-o", tmp_path)
    assert first.returncode == 0, first.stderr
    table = json.loads((tmp_path / "sweep.json").read_text())
    table["types"]["llama"]["reason"] = "kept"
    (tmp_path / "sweep.json").write_text(json.dumps(table))
    again = portwright("sweep", "--native", "llama", "-o", tmp_path, "--resume")
    assert again.returncode == 0, again.stderr
    table = json.loads((tmp_path / "sweep.json").read_text())
    assert table["types"]["llama"]["reason"] == "kept"


def test_resuming_needs_a_directory(portwright):
    assert portwright("sweep", "--native", "--resume", "llama").returncode == 2

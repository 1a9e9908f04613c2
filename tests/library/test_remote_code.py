"""Checkpoints that bring their own files: read, not run; torch runs them as trusted."""

import json
import shutil
from pathlib import Path

import pytest

OWN_CODE = Path(__file__).parent / "remote_code"


@pytest.fixture(scope="module")
def made(reference_worker, tmp_path_factory):
    """A tiny checkpoint of a directory with its own code, loaded in torch."""
    known = {}

    def make(name):
        if name not in known:
            folder = tmp_path_factory.mktemp(name)
            trusted = {"trust_remote_code": True}
            source = tmp_path_factory.mktemp("source") / name
            shutil.copytree(OWN_CODE / name, source)
            for shared in ("decoding.py", "pieces.py"):
                shutil.copy(OWN_CODE / shared, source)
            reference_worker("synth", what=str(source), folder=str(folder), **trusted)
            reference_worker("load", model=name, folder=str(folder), **trusted)
            known[name] = folder
        return known[name]

    return make


@pytest.mark.parametrize(
    "name",
    [
        "tuple_cache",
        "folded_axes",
        "shared_blocks",
        "guarded_imports",
        "states_and_keys",
        "shared_keys",
        "looped_experts",
        "older_style",
    ],
)
def test_equals_torch(name, made, agree):
    agree(name, made(name))


# What tests/port compiles, and holds a port of against this source.
@pytest.mark.parametrize(
    "name",
    [
        "all_states",
        "blocks_beside_head",
        "distance_bias",
        "distance_table",
        "looped_layers",
        "masked_slopes",
        "mixed_streams",
        "named_reach",
        "one_block",
        "one_hot_experts",
        "own_positions",
        "parallel_streams",
        "scanned_layers",
        "shared_groups",
        "sigmoid_scores",
        "skips",
        "turned_keys",
        "uneven_heads",
        "uneven_layers",
        "weighted_depth",
    ],
)
def test_other_code_styles_equal_torch(name, made, agree):
    agree(name, made(name))


def test_where_padding_is_no_number_the_rest_equals_torch(made, agree):
    agree("bare_parameters", made("bare_parameters"), parts=["full", "decode"])


@pytest.mark.parametrize("name", ["keeps_nothing", "nothing_kept"])
def test_a_model_without_a_cache_equals_torch(name, made, agree):
    agree(name, made(name), parts=["full", "batch"])


def test_an_unknown_package_is_refused_by_name(portwright, made, tmp_path):
    folder = tmp_path / "needs_package"
    shutil.copytree(OWN_CODE / "needs_package", folder)
    weights = made("tuple_cache") / "model.safetensors"
    shutil.copy(weights, folder)
    done = portwright(
        "run", folder, "--ids", "1,2", "--logits", tmp_path / "x.npy", "--json"
    )
    assert done.returncode == 3, done.stderr
    hole = json.loads(done.stdout)["holes"][0]
    assert "absent_package" in hole["message"] and "modeling_folded.py" in hole["file"]


def test_a_relative_import_of_a_missing_file_is_told(portwright, made, tmp_path):
    folder = tmp_path / "tuple_cache"
    shutil.copytree(made("tuple_cache"), folder)
    (folder / "rotary.py").unlink()
    done = portwright(
        "run", folder, "--ids", "1,2", "--logits", tmp_path / "x.npy", "--json"
    )
    assert done.returncode == 3, done.stderr
    assert "rotary" in json.loads(done.stdout)["holes"][0]["message"]


def test_nothing_of_it_is_executed(portwright, made, tmp_path):
    folder = tmp_path / "tuple_cache"
    shutil.copytree(made("tuple_cache"), folder)
    victim = tmp_path / "victim"
    own = folder / "configuration_tuple.py"
    own.write_text(f"open({str(victim)!r}, 'w')\n" + own.read_text())
    done = portwright("run", folder, "--ids", "1,2", "--logits", tmp_path / "x.npy")
    assert done.returncode == 3 and not victim.exists()

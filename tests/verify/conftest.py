import importlib.util
import json
import re
import shutil
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def checkpoint(portwright, tmp_path_factory):
    """A tiny checkpoint of a type, with the flat rope keys that hand-written
    ports read; made once."""
    made = {}

    def make(kind):
        if kind not in made:
            folder = tmp_path_factory.mktemp(kind)
            done = portwright("synth", kind, "-o", folder, "--flat-rope")
            assert done.returncode == 0, done.stderr
            made[kind] = folder
        return made[kind]

    return make


@pytest.fixture
def hand_written():
    """The text of a model file of the installed mlx-lm."""

    def read(name):
        package = Path(importlib.util.find_spec("mlx_lm").origin).parent
        return (package / "models" / f"{name}.py").read_text()

    return read


@pytest.fixture
def plant(hand_written, tmp_path):
    """A hand-written port with some of its text replaced."""

    def edit(name, *replacements):
        text = hand_written(name)
        for old, new in replacements:
            assert re.search(old, text), f"{name}.py no longer has {old}"
            text = re.sub(old, new, text)
        path = tmp_path / f"{name}.py"
        path.write_text(text)
        return path

    return edit


@pytest.fixture
def verify(portwright, tmp_path):
    """Runs the battery; returns the exit code and results.json."""

    def run(model, *arguments):
        out = tmp_path / "out"
        done = portwright("verify", model, "-o", out, *arguments)
        results = out / "results.json"
        assert results.exists(), done.stderr
        return done.returncode, json.loads(results.read_text())

    return run


@pytest.fixture
def copied(checkpoint, tmp_path):
    """A checkpoint of a type that the test may damage."""

    def copy(kind):
        return Path(shutil.copytree(checkpoint(kind), tmp_path / "checkpoint"))

    return copy


def check_of(results, name):
    return next(c for c in results["checks"] if c["name"] == name)

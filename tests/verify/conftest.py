import importlib.util
import re
import shutil
import sys
from pathlib import Path

import pytest

sys.path.append(str(Path(__file__).resolve().parents[2] / "bench"))
from warm_workers import WarmWorkers  # noqa: E402


class Bench(WarmWorkers):
    """Many verifications by one pair of workers; their failure is the test's."""

    def __call__(self, **request):
        answer = super().__call__(**request)
        assert answer["ok"], answer["error"]
        return answer.get("results")


@pytest.fixture(scope="session")
def bench():
    process = Bench()
    yield process
    process.close()


@pytest.fixture(scope="session")
def checkpoint(bench, tmp_path_factory):
    """A tiny checkpoint of a type, with the flat rope keys that hand-written
    ports read; made once."""
    made = {}

    def make(kind):
        if kind not in made:
            folder = tmp_path_factory.mktemp(kind)
            bench(synth=kind, folder=folder, flat_rope=True)
            made[kind] = folder
        return made[kind]

    return make


@pytest.fixture(scope="session")
def emitted(portwright, tmp_path_factory):
    """The text of an emitted port of a type; made once."""
    made = {}

    def make(kind):
        if kind not in made:
            port = tmp_path_factory.mktemp(kind) / "port.py"
            done = portwright("compile", kind, "-o", port, "--fast")
            assert done.returncode == 0, done.stderr
            made[kind] = port.read_text()
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
def edited(emitted, tmp_path):
    """An emitted port of a type with some of its text replaced."""

    def edit(kind, *replacements):
        text = emitted(kind)
        for old, new in replacements:
            assert re.search(old, text), f"the port of {kind} has no {old}"
            text = re.sub(old, new, text)
        port = tmp_path / "port.py"
        port.write_text(text)
        return port

    return edit


@pytest.fixture
def verify(bench):
    """The results of a battery: of `checks`, or of all."""

    def run(model, port=None, checks=(), quick=False):
        request = {"checkpoint": model, "checks": list(checks), "quick": quick}
        if port is not None:
            request["port"] = port
        return bench(**request)

    return run


@pytest.fixture
def copied(checkpoint, tmp_path):
    """A checkpoint of a type that the test may damage."""

    def copy(kind):
        return Path(shutil.copytree(checkpoint(kind), tmp_path / "checkpoint"))

    return copy


def check_of(results, name):
    return next(c for c in results["checks"] if c["name"] == name)

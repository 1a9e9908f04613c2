import importlib.util
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest


class Bench:
    """One verify_many process: many verifications by one pair of workers."""

    def __init__(self, root):
        environment = {
            **os.environ,
            "PORTWRIGHT_PYTHON": sys.executable,
            "PORTWRIGHT_HOME": str(root / "python" / "portwright"),
        }
        self.process = subprocess.Popen(
            [root / "build" / "bin" / "verify_many"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=environment,
        )

    def __call__(self, **request):
        self.process.stdin.write(json.dumps(request, default=str) + "\n")
        self.process.stdin.flush()
        answer = json.loads(self.process.stdout.readline())
        assert answer["ok"], answer["error"]
        return answer.get("results")

    def close(self):
        self.process.stdin.close()
        self.process.wait(30)


@pytest.fixture(scope="session")
def bench(root):
    process = Bench(root)
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

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from verify.conftest import Bench

TYPES = (
    "llama qwen2 qwen3 gemma gemma2 olmo2 olmo3 granite cohere cohere2 glm4 phi3 "
    "starcoder2 gpt_neox mixtral qwen3_moe olmoe"
).split()


@pytest.fixture(scope="session")
def bench():
    process = Bench()
    yield process
    process.close()


@pytest.fixture(scope="session")
def checkpoint(bench, tmp_path_factory):
    """A tiny checkpoint of a type; made once, from the user's cache if it can be."""
    made = {}

    def make(kind):
        if kind not in made:
            folder = tmp_path_factory.mktemp("checkpoints") / kind
            folder.mkdir()
            bench(synth=kind, folder=folder)
            made[kind] = folder
        return made[kind]

    return make


@pytest.fixture(scope="session")
def emitted(checkpoint, portwright, tmp_path_factory):
    """The text of a type's port."""
    texts = {}

    def compile(kind):
        if kind not in texts:
            file = tmp_path_factory.mktemp("emitted") / f"{kind}.py"
            done = portwright("compile", checkpoint(kind), "-o", file, "--fast")
            assert done.returncode == 0, done.stderr
            texts[kind] = file.read_text()
        return texts[kind]

    return compile


@pytest.fixture
def emitted_from(portwright, tmp_path):
    """The text of the port, whole, of a folder with code of its own."""

    def compile(folder):
        file = tmp_path / "port.py"
        done = portwright("compile", folder, "-o", file, "--fast", "--json")
        assert done.returncode == 0, done.stderr
        assert answer(done)["holes"] == []
        return file.read_text()

    return compile


@pytest.fixture
def proven_with_own_code(portwright, tmp_path):
    """A tiny checkpoint of a folder with modeling files, ported and proven against
    torch, which runs them; the folder that `port` leaves."""

    def port(folder, verdict="pass"):
        checkpoint, out = tmp_path / "checkpoint", tmp_path / "port"
        made = portwright("synth", folder, "-o", checkpoint, "--trust-remote-code")
        assert made.returncode == 0, made.stderr
        done = portwright(
            "port", checkpoint, "-o", out, "--trust-remote-code", "--json"
        )
        assert done.returncode == 0, done.stderr
        assert answer(done)["verdict"] == verdict
        return out

    return port


OWN_CODE = Path(__file__).parents[1] / "library" / "remote_code"


@pytest.fixture
def style(tmp_path):
    """A fixture's folder, with the files that all of them share."""

    def put_together(name, under=None):
        folder = shutil.copytree(OWN_CODE / name, tmp_path / (under or name))
        for shared in ("decoding.py", "pieces.py"):
            shutil.copy(OWN_CODE / shared, folder)
        return folder

    return put_together


def planted(text, replacements):
    for old, new in replacements:
        assert re.search(old, text), f"the port has no {old}"
        text = re.sub(old, new, text)
    return text


@pytest.fixture
def plant(emitted, tmp_path):
    def edit(kind, replacements):
        text = planted(emitted(kind), replacements)
        path = tmp_path / f"{kind}.py"
        path.write_text(text)
        return path

    return edit


@pytest.fixture
def copied(checkpoint, tmp_path):
    """A checkpoint of a type that the test may damage."""

    def copy(kind):
        return Path(shutil.copytree(checkpoint(kind), tmp_path / "damaged"))

    return copy


@pytest.fixture(scope="session")
def start(root):
    """./portwright as a process whose end the test does not wait for."""

    def call(*arguments):
        return subprocess.Popen(
            [root / "portwright", *map(str, arguments)],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, "PORTWRIGHT_NO_BUILD": "1"},
        )

    return call


@pytest.fixture(scope="session")
def transformers():
    """The folder of the installed transformers."""
    import importlib.util

    return Path(importlib.util.find_spec("transformers").origin).parent


@pytest.fixture(scope="session")
def tool():
    """A program of the test environment, by name."""
    return lambda name: Path(sys.executable).parent / name


def answer(done):
    """The one object on stdout."""
    return json.loads(done.stdout)

"""The emitted files, word by word. PORTWRIGHT_REGENERATE=1 writes them anew."""

import os
from pathlib import Path

import pytest

from .conftest import TYPES, answer

GOLDENS = Path(__file__).parent / "testdata"


@pytest.mark.parametrize("kind", TYPES)
def test_emitted_file_is_the_golden(kind, checkpoint, portwright, tmp_path):
    file = tmp_path / f"{kind}.py"
    done = portwright("compile", checkpoint(kind), "-o", file, "--fast", "--json")
    assert done.returncode == 0, done.stderr
    assert answer(done)["holes"] == []
    golden = GOLDENS / f"{kind}.py"
    if os.environ.get("PORTWRIGHT_REGENERATE") == "1":
        golden.write_text(file.read_text())
    assert file.read_text() == golden.read_text()


def test_emission_is_deterministic(checkpoint, portwright, tmp_path):
    texts = set()
    for i in range(3):
        file = tmp_path / f"{i}.py"
        portwright("compile", checkpoint("gemma2"), "-o", file, "--fast")
        texts.add(file.read_text())
    assert len(texts) == 1


def test_goldens_are_of_the_types():
    assert {p.stem for p in GOLDENS.glob("*.py")} == set(TYPES)

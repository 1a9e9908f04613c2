import json
import os
import subprocess
import sys

import numpy
import pytest

from .agreement import BATCH, IDS, MASK, PREFILL, TOLERANCE, error, table


@pytest.fixture(scope="session")
def reference_worker(root):
    """torch, as the workers serve it: reference_worker(op, **arguments)."""
    process = subprocess.Popen(
        [sys.executable, "-m", "portwright.workers.reference_main"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(root / "python")},
    )

    def call(op, **arguments):
        process.stdin.write(json.dumps({"id": 1, "op": op, **arguments}) + "\n")
        process.stdin.flush()
        answer = json.loads(process.stdout.readline())
        assert answer["ok"], answer["error"]["traceback_tail"]
        return answer["result"]

    yield call
    call("shutdown")
    process.wait(30)


@pytest.fixture(scope="session")
def transformers_types():
    """The keys of the library's mapping to causal language models, sorted."""
    from transformers.models.auto import modeling_auto

    return sorted(modeling_auto.MODEL_FOR_CAUSAL_LM_MAPPING_NAMES)


@pytest.fixture(scope="session")
def torch_logits(reference_worker, tmp_path_factory):
    """The logits of a model that the worker has loaded: torch_logits(name, op, ...)."""
    from safetensors.numpy import load_file

    file = str(tmp_path_factory.mktemp("torch") / "logits.safetensors")

    def call(name, op, **request):
        reference_worker(op, model=name, out=file, **request)
        return load_file(file)["logits"]

    return call


@pytest.fixture
def run(portwright, tmp_path):
    """`portwright run`: how it ended, and the logits, if any."""

    def call(folder, ids, *options):
        file = tmp_path / "logits.npy"
        file.unlink(missing_ok=True)
        done = portwright(
            "run", folder, "--ids", table(ids), "--logits", file, *options
        )
        return done, numpy.load(file) if file.exists() else None

    return call


@pytest.fixture
def agree(run, torch_logits):
    """Holds a checkpoint against torch, which has it loaded by `name`.

    All ids at once, a batch padded on the left, and cached single steps.
    """

    def ours(folder, ids, *options):
        done, logits = run(folder, ids, *options)
        assert done.returncode == 0, done.stderr
        return logits

    def call(name, folder, parts=("full", "batch", "decode")):
        if "full" in parts:
            full = ours(folder, [IDS])
            wanted = torch_logits(name, "forward", ids=[IDS])[0]
            assert full.dtype == numpy.float32 and full.shape == wanted.shape
            assert error(full, wanted) < TOLERANCE
        if "batch" in parts:
            batch = ours(folder, BATCH, "--mask", table(MASK))
            wanted = torch_logits(name, "forward", ids=BATCH, mask=MASK)
            kept = numpy.array(MASK, bool)
            assert error(batch[kept], wanted[kept]) < TOLERANCE
        if "decode" in parts:
            decoded = ours(folder, [IDS], "--decode-from", PREFILL)[PREFILL - 1 :]
            wanted = torch_logits(name, "decode", ids=[IDS], prefill=PREFILL)[0]
            assert error(decoded, wanted) < TOLERANCE

    return call


@pytest.fixture(scope="module")
def made(reference_worker, tmp_path_factory):
    """A tiny checkpoint with some fields set: its folder."""

    def make(model_type, **overrides):
        folder = tmp_path_factory.mktemp(model_type)
        reference_worker(
            "synth", what=model_type, folder=str(folder), overrides=overrides
        )
        return folder

    return make


@pytest.fixture
def loaded(reference_worker):
    """Loads a folder in torch for one test."""
    names = []

    def load(folder):
        reference_worker("load", model=folder.name, folder=str(folder))
        names.append(folder.name)
        return folder.name

    yield load
    for name in names:
        reference_worker("unload", model=name)

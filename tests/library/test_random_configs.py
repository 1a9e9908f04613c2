"""Configs drawn at random mean to us what they mean to torch.

A draw takes a model type, gives some fields of its tiny config other values, and
spells the file otherwise. `--configs N` draws N of them, `--seed S` others.
"""

import json
import random
from pathlib import Path

import numpy
import pytest

from . import drawing
from .agreement import BATCH, IDS, MASK, PREFILL, TOLERANCE, error, table

KNOWN = json.loads((Path(__file__).parent / "causal_lms.json").read_text())["types"]
TYPES = sorted(
    name
    for name, facts in KNOWN.items()
    if facts["class"] == "decoder_lm" and facts["native"] == "equal"
)
SMALL, LARGE = 12, 300
TRIES = 12  # draws until transformers takes one


def pytest_generate_tests(metafunc):
    option = metafunc.config.getoption
    count = option("--configs") or (LARGE if option("--all-types") else SMALL)
    seed = option("--seed")
    metafunc.parametrize("draw", [f"{seed}.{i}" for i in range(count)])


@pytest.fixture
def checkpoint(reference_worker, torch_logits, tmp_path):
    """A drawn checkpoint that torch builds, loads and runs: (folder, what was drawn)."""
    from transformers.models.auto.configuration_auto import CONFIG_MAPPING

    loaded = []

    def attempt(dice, number):
        model_type = dice.choice(TYPES)
        folder = tmp_path / str(number)
        base = reference_worker("synth", what=model_type, folder=str(folder))
        changes = drawing.overrides(dice, base["config"])
        made = reference_worker(
            "synth", what=model_type, folder=str(folder), overrides=changes
        )
        defaults = CONFIG_MAPPING[model_type]().to_dict()
        config = drawing.edited(dice, made["config"], defaults)
        (folder / "config.json").write_text(json.dumps(config))
        reference_worker("load", model=str(folder), folder=str(folder))
        loaded.append(str(folder))
        torch_logits(str(folder), "forward", ids=[IDS])
        return folder, {"type": model_type, "fields": changes, "config": config}

    def make(seed):
        dice = random.Random(seed)
        problem = None
        for number in range(TRIES):
            try:
                return attempt(dice, number)
            except AssertionError as fault:  # the worker's answer
                problem = fault
        raise problem

    yield make
    for name in loaded:
        reference_worker("unload", model=name)


def answers(folder, run, torch_logits):
    """(part, ours, torch's) for each part that torch can compute."""
    kept = numpy.array(MASK, bool)
    parts = {
        "full": ("forward", {"ids": [IDS]}, [IDS], []),
        "batch": (
            "forward",
            {"ids": BATCH, "mask": MASK},
            BATCH,
            ["--mask", table(MASK)],
        ),
        "decode": (
            "decode",
            {"ids": [IDS], "prefill": PREFILL},
            [IDS],
            ["--decode-from", PREFILL],
        ),
    }
    for part, (op, request, ids, options) in parts.items():
        try:
            theirs = torch_logits(str(folder), op, **request)
        except AssertionError:
            assert part != "full"
            continue
        done, ours = run(folder, ids, *options)
        if part == "decode" and "keeps no cache" in done.stderr:
            continue
        assert done.returncode == 0, f"{part}: {done.stderr}"
        if part == "batch":
            yield part, ours[kept], theirs[kept]
        else:
            first = PREFILL - 1 if part == "decode" else 0
            yield part, ours[first:], theirs[0]


def test_equals_torch(draw, checkpoint, run, torch_logits):
    folder, drawn = checkpoint(draw)
    for part, ours, theirs in answers(folder, run, torch_logits):
        told = f"{part}: {json.dumps(drawn)}"
        assert ours.shape == theirs.shape, told
        off = error(ours, theirs)
        assert off < TOLERANCE, f"differs by {off:.2g}, {told}"

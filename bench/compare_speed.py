"""Emitted ports beside mlx-lm's hand-written files of the same type, in time.

    portwright sweep -o DIR && python bench/compare_speed.py DIR/ports [--document]

For each type that has both, one process loads the same model into both (see
same_model.py) and lets them take turns: prefills of 128 tokens, and cached steps one by
one, in float32. Twice: the tiny checkpoint of `portwright synth`, where what mlx_lm does
around the kernels decides, and one that is eight times as wide, where the kernels do. A
ratio is the median over the pairs of their time by ours: above 1, the port is faster.
`--clock cpu` takes the time of processors instead, which what else runs on the machine
disturbs less. The last line is the load that the machine had; with --document the table
goes to docs/speed.md.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from importlib.util import find_spec
from pathlib import Path

import same_model
from mlx_lm.utils import MODEL_REMAPPING

ROOT = Path(__file__).resolve().parent.parent
DOCUMENT = ROOT / "docs" / "speed.md"
PREFILL, STEPS, TURNS = 128, 16, 7
SIZES = {"small": 1, "wide": 8}
EXPLAINED = """
## Where a port does more

A row keeps its figures until its type is measured again: most are of `--clock wall` and of earlier
ports, those of many types with experts among them. Known causes of small steps below 0.97, by
counts of the operations of a step, are work that the hand-written file leaves out, or a form of it
that the port does not have:

- falcon_h1: theirs multiplies the weights by the multipliers once, while it loads them; no value is
  folded into a weight here, so that checkpoints may pass `sanitize` twice.
- mamba: the port honours the lengths of a padded batch, and keeps no part of a longer array alive.
- ministral3: the scale of the queries is computed by each layer, as the source does, theirs once.
- apertus: mlx_lm has the activation as one compiled function.
"""
CLOCKS = {"wall": time.perf_counter, "cpu": time.process_time}


class Side:
    def __init__(self, model, clock):
        import mlx.core as mx
        from mlx_lm.models.cache import make_prompt_cache

        self.mx = mx
        self.model = model
        self.clock = CLOCKS[clock]
        self.cache = lambda: make_prompt_cache(self.model)

    def prefill(self):
        """Seconds of a prefill, whose cache is kept for the steps."""
        self.kept = self.cache()
        return self.seconds(self.mx.arange(PREFILL)[None] % 200)

    def step(self, token):
        return self.seconds(self.mx.array([[token]]))

    def seconds(self, ids):
        self.mx.eval(ids)
        start = self.clock()
        self.mx.eval(self.model(ids, cache=self.kept))
        return self.clock() - start


def ratios(models, clock):
    """Of prefill and steps; each is taken in turns, so that both see the same machine."""
    ours, theirs = (Side(model, clock) for model in models)
    prefills, steps = [], []
    for turn in range(TURNS + 1):
        order = (ours, theirs) if turn % 2 else (theirs, ours)
        prefills.append({side: side.prefill() for side in order})
        steps += [
            {side: side.step(token) for side in (order, order[::-1])[token % 2]}
            for token in range(STEPS)
        ]
    # The first turn compiles and allocates.
    measured = prefills[1:], steps[STEPS:]
    return [
        statistics.median(pair[theirs] / pair[ours] for pair in pairs)
        for pairs in measured
    ]


def one(name, port, clock):
    """For each size the ratios, or a text where a side does not run."""
    out = []
    with tempfile.TemporaryDirectory() as folder:
        for factor in SIZES.values():
            try:
                models = same_model.load(name, port, Path(folder), factor)
                out.append(ratios(models, clock))
            except Exception as error:  # of transformers, mlx_lm or a model's file
                lines = f"{type(error).__name__}: {error}".splitlines()
                out.append(lines[0][:90])
    return out


def apart(name, port, clock):
    """The same in a process of its own, which models can bring down."""
    command = [sys.executable, __file__, "--one", name, str(port), clock]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode == 0:
        return json.loads(done.stdout.splitlines()[-1])
    said = (done.stdout + done.stderr).strip().splitlines() or [""]
    return [f"ended with {done.returncode}: {said[-1]}"[:90]] * len(SIZES)


def table(rows):
    """Lines of markdown, the medians last."""
    kinds = [f"{size} {what}" for size in SIZES for what in ("prefill", "steps")]
    yield "| type | " + " | ".join(kinds) + " |"
    yield "|---" * 5 + "|"
    columns = [[] for _ in kinds]
    for name, answers in rows:
        cells = []
        for answer in answers:
            cells += (
                ["—", "—"]
                if isinstance(answer, str)
                else [f"{ratio:.2f}" for ratio in answer]
            )
        for column, cell in zip(columns, cells):
            if cell != "—":
                column.append(float(cell))
        yield f"| {name} | " + " | ".join(cells) + " |"
    medians = [f"**{statistics.median(c):.2f}**" if c else "—" for c in columns]
    yield "| **median** | " + " | ".join(medians) + " |"
    slower = [str(sum(ratio < 0.97 for ratio in column)) for column in columns]
    yield "| below 0.97 | " + " | ".join(slower) + " |"


def documented():
    """The rows that docs/speed.md has."""
    lines = DOCUMENT.read_text().splitlines() if DOCUMENT.is_file() else []
    why = dict(line[2:].split(": ", 1) for line in lines if line.startswith("- "))
    rows = {}
    for line in lines:
        name, *cells = (cell.strip() for cell in line.strip("|").split("|"))
        if not line.startswith("| ") or name in ("type", "**median**", "below 0.97"):
            continue
        rows[name] = [
            why.get(f"{name}, {size}", "") if pair[0] == "—" else list(map(float, pair))
            for size, pair in zip(SIZES, (cells[:2], cells[2:]))
        ]
    return rows


def document(rows):
    """Writes docs/speed.md; after each type, so that an interrupt keeps the rest. Types
    that were not measured keep their rows."""
    rows = sorted((documented() | dict(rows)).items())
    lacking = [
        f"- {name}, {size}: {answer}"
        for name, answers in rows
        for size, answer in zip(SIZES, answers)
        if isinstance(answer, str)
    ]
    text = (
        "# Speed beside mlx-lm's hand-written files\n\n"
        "Made by `python bench/compare_speed.py DIR/ports --clock cpu --document`: the "
        "same weights in both files, taking turns in one process, float32 on a CPU.\n"
        "A ratio is their time by ours, the median of "
        f"{TURNS} prefills of {PREFILL} tokens and {TURNS * STEPS} cached steps: "
        "above 1, the port is faster.\n"
        "Hand-written files read configs in the form of transformers 4, some of them "
        "fields of the first checkpoints alone: `bench/same_model.py` says how each is "
        "given the same model.\n\n"
    )
    text += "\n".join(table(rows)) + "\n"
    if lacking:
        text += "\nNot compared:\n\n" + "\n".join(lacking) + "\n"
    text += EXPLAINED
    DOCUMENT.write_text(text)


def main():
    if sys.argv[1:2] == ["--one"]:
        print(json.dumps(one(*sys.argv[2:])))
        return 0
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("ports", type=Path, help="folder of emitted files")
    parser.add_argument("--type", action="append", help="only these")
    parser.add_argument("--clock", choices=CLOCKS, default="wall")
    parser.add_argument("--document", action="store_true", help="write docs/speed.md")
    options = parser.parse_args()
    theirs = Path(find_spec("mlx_lm").origin).parent / "models"
    rows = []
    for port in sorted(options.ports.glob("*.py")):
        if not (theirs / (MODEL_REMAPPING.get(port.stem, port.stem) + ".py")).is_file():
            continue
        if options.type and port.stem not in options.type:
            continue
        rows.append((port.stem, apart(port.stem, port, options.clock)))
        name, answers = rows[-1]
        print(name, *answers, file=sys.stderr, flush=True)
        if options.document:
            document(rows)
    if not rows:
        print(f"{options.ports} has no port of a type in {theirs}", file=sys.stderr)
        return 2
    lines = list(table(rows))
    print(*lines, f"\nload average {os.getloadavg()[0]:.1f}", sep="\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())

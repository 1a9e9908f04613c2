"""What native evaluation costs, against stock Python.

    python bench/evaluate_bench.py [--type TYPE ...] [--runs N] [--bench BINARY]

Prints the cost of an AST node on plain Python beside CPython's time for the same
file, then for each model the milliseconds to read and build, to load, to record a
prefill and to decode a token, and their medians and sums. Milliseconds are of CPU
time, the best of N runs; of plain Python of a few. BINARY is built by `ninja
evaluate_bench`. Run it by the Python of the environment; the load that the machine
had is the last line.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
STAGES = ("build", "load", "trace", "token")
RUNS = 5


def plain_python(binary):
    source = Path(__file__).parent / "workload.py"
    code = compile(source.read_text(), str(source), "exec")
    theirs, ours = [], []
    for _ in range(RUNS):
        begin = time.process_time()
        exec(code, {"__name__": "bench"})
        theirs.append((time.process_time() - begin) * 1e3)
        line = subprocess.check_output([binary, "--source", source], text=True)
        ours.append(json.loads(line))
    best = min(ours, key=lambda run: run["ms"])
    print(
        f"plain Python: {best['nodes']} nodes in {best['ms']:.0f} ms, "
        f"{best['ms'] / best['nodes'] * 1e6:.0f} ns each; "
        f"CPython {min(theirs):.0f} ms"
    )


def checkpoints(types, folder):
    sys.path.insert(0, str(ROOT / "python"))
    from portwright.workers import synth

    for name in types:
        try:
            synth.synth(name, folder / name)
        except Exception as error:  # also of a class that cannot be built
            print(f"{name}: {error}", file=sys.stderr)
        else:
            yield str(folder / name)


def best_of(runs):
    """For each model and stage the quickest of several runs."""
    rows = []
    for text in runs:
        for i, line in enumerate(text.splitlines()):
            row = json.loads(line)
            if i == len(rows):
                rows.append(row)
            for stage in STAGES:
                if stage in row and row[stage]["ms"] < rows[i][stage]["ms"]:
                    rows[i][stage] = row[stage]
    return rows


def models(binary, types, runs):
    import transformers

    library = Path(transformers.__file__).parent
    with tempfile.TemporaryDirectory() as folder:
        made = list(checkpoints(types, Path(folder)))
        rows = best_of(
            subprocess.check_output([binary, library, *made], text=True)
            for _ in range(runs)
        )
    print(f"{'type':28}" + "".join(f"{stage:>10}" for stage in STAGES) + "   ns/node")
    kept = []
    for row in rows:
        name = Path(row["checkpoint"]).name
        if "fault" in row:
            print(f"{name:28} {row['fault']}")
            continue
        kept.append(row)
        node = row["build"]["ms"] / row["build"]["nodes"] * 1e6
        cells = "".join(f"{row[stage]['ms']:10.1f}" for stage in STAGES)
        print(f"{name:28}{cells}{node:10.0f}")
    for word, of in (("median", statistics.median), ("sum", sum)):
        cells = "".join(f"{of(r[s]['ms'] for r in kept):10.1f}" for s in STAGES)
        print(f"{word:28}{cells}")
    whole = [row["build"]["ms"] + row["trace"]["ms"] for row in kept]
    print(
        f"build and trace: median {statistics.median(whole):.1f} ms, "
        f"all {len(kept)} in {sum(whole) / 1e3:.1f} s"
    )


def every_type():
    from transformers.models.auto import modeling_auto

    return sorted(modeling_auto.MODEL_FOR_CAUSAL_LM_MAPPING_NAMES)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--type", action="append")
    parser.add_argument("--bench", default=ROOT / "build" / "bench" / "evaluate_bench")
    parser.add_argument("--runs", type=int, default=1, help="keep the best of so many")
    options = parser.parse_args()
    plain_python(options.bench)
    models(options.bench, options.type or every_type(), options.runs)
    print(f"load average {os.getloadavg()[0]:.1f}")


if __name__ == "__main__":
    main()

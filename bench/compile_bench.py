"""What `portwright compile` of a dense model costs, stage by stage.

    python bench/compile_bench.py [--type llama] [--runs 7]

Medians of N runs, on a machine that does nothing else: the stages in process,
the whole process, and apart from it the check in a warm mlx_lm worker.
"""

import argparse
import os
import statistics
import tempfile
import time
from pathlib import Path

from launcher import portwright
from warm_workers import WarmWorkers

STAGES = {
    "read": "reading the library and the config",
    "record": "evaluating",
    "lift": "lifting",
    "emit": "emitting",
    "prove": "proving in process",
}


def compile_once(checkpoint, file):
    """Milliseconds by stage."""
    start = time.perf_counter()
    answer = portwright("compile", checkpoint, "-o", file, "--fast")
    whole = (time.perf_counter() - start) * 1000
    spent = answer["milliseconds"]
    stages = {name: spent[key] for key, name in STAGES.items()}
    stages["together"] = spent["total"]
    stages["whole process"] = whole
    return stages, len(answer["variants"])


def check(workers, request):
    """Milliseconds of one request."""
    start = time.perf_counter()
    answer = workers(**request)
    if not answer["ok"]:
        raise SystemExit(answer["error"])
    return (time.perf_counter() - start) * 1000


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--type", default="llama", help="a model type")
    parser.add_argument("--runs", type=int, default=7)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        checkpoint = Path(folder) / "checkpoint"
        file = Path(folder) / "port.py"
        portwright("synth", options.type, "-o", checkpoint)
        timed = [compile_once(checkpoint, file) for _ in range(options.runs)]
        workers = WarmWorkers()
        request = {"checkpoint": checkpoint, "port": file}
        request |= {"checks": ["weights", "logits"], "quick": True}
        check(workers, request)
        checks = [check(workers, request) for _ in range(options.runs)]
        workers.close()
    variants = timed[0][1]
    print(
        f"compile {options.type} with {variants} variants, "
        f"median of {options.runs} runs, milliseconds"
    )
    for stage in timed[0][0]:
        print(f"  {stage:<36}{statistics.median(r[stage] for r, _ in timed):8.1f}")
    print(f"  {'weights and logits, warm worker':<36}{statistics.median(checks):8.1f}")
    load = os.getloadavg()[0]
    print(f"load average {load:.1f} on {os.cpu_count()} cores")


if __name__ == "__main__":
    main()

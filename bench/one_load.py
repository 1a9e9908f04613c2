"""What loading once saves: a battery in one run, and each check in a run of its own.

    python bench/one_load.py [--type llama] [--runs 1] [--quick]

A tiny model, compiled; both ways make the same checks, those that it does not skip.
A time is of whole processes of `portwright verify`, which start and end their workers;
the run of all comes before, amid and after the others, so that both see the same load.
"""

import argparse
import os
import statistics
import tempfile
import time
from pathlib import Path

from launcher import portwright


def verify(*arguments):
    """Seconds by the clock and of processors, and the status of each check made."""
    used, start = os.times(), time.perf_counter()
    checks = portwright("verify", *arguments, verdicts=(0, 1))["checks"]
    seconds, now = time.perf_counter() - start, os.times()
    computed = now.children_user + now.children_system
    computed -= used.children_user + used.children_system
    return (seconds, computed), {c["name"]: c["status"] for c in checks}


def alone(given, check, expected):
    """The times of one check by itself, which has to end as in the run of all."""
    times, statuses = verify(*given, "--checks", check)
    if statuses != {check: expected}:
        raise SystemExit(f"{check} is {expected} in the run of all, then {statuses}")
    print(f"  {check:<18}{times[0]:8.2f} s", flush=True)
    return times


def measure(given, mode):
    """Times of the run of all, and the times of the checks by themselves, added."""
    _, statuses = verify(*given, *mode)
    made = {name: s for name, s in statuses.items() if s != "skipped"}
    given_all = [*given, "--checks", *made]
    together, apart = [], []
    for number, (check, status) in enumerate(made.items()):
        if number in (0, len(made) // 2):
            together.append(verify(*given_all)[0])
        apart.append(alone(given, check, status))
    together.append(verify(*given_all)[0])
    medians = [statistics.median(times) for times in zip(*together)]
    return list(made), medians, [sum(times) for times in zip(*apart)]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--type", default="llama", help="a model type")
    parser.add_argument("--runs", type=int, default=1)
    parser.add_argument("--quick", action="store_true", help="the checks of --quick")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        checkpoint, port = Path(folder) / "checkpoint", Path(folder) / "port.py"
        portwright("synth", options.type, "-o", checkpoint)
        portwright("compile", checkpoint, "-o", port, "--fast", "--map")
        given = [checkpoint, "--port", port, "-o", Path(folder) / "results"]
        mode = ["--quick"] if options.quick else []
        runs = [measure(given, mode) for _ in range(options.runs)]
    checks = runs[0][0]
    print(f"{len(checks)} checks of {options.type}, median of {options.runs} runs")
    for index, kind in enumerate(("seconds", "seconds of processors")):
        whole = statistics.median(run[1][index] for run in runs)
        apart = statistics.median(run[2][index] for run in runs)
        print(f"  {kind}: in one run {whole:.1f}, each by itself {apart:.1f}", end="")
        print(f", {apart / whole:.1f} times as much")
    load = os.getloadavg()[0]
    print(f"load average {load:.1f} on {os.cpu_count()} cores")


if __name__ == "__main__":
    main()

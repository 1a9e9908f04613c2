"""Draws mutants and proves them: torch here, compiler and workers beside it."""

import concurrent.futures
import json
import random
import shutil

from verify.conftest import Bench

from . import proving
from .generator import draw
from .gold import Judge


class Configs:
    """Tiny configs of the bases, as `synth` draws them."""

    def __init__(self, folder):
        self.folder = folder

    def __call__(self, kind):
        from portwright.workers import synth

        folder = self.folder / kind
        if not (folder / "config.json").exists():
            synth.synth(kind, folder)
        return json.loads((folder / "config.json").read_text())


def described(mutant):
    return {
        "name": mutant.name,
        "base": mutant.kind,
        "operators": mutant.operators,
        "effects": mutant.effects,
    }


def run_all(folder, seed, numbers, variants, say):
    """A row for each mutant."""
    bases = Configs(folder / "bases")
    bench = Bench()
    rows, futures = [], []
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        for number in numbers:
            scratch = folder / "scratch"
            judge = Judge(scratch)
            mutant = draw(number, seed, bases, judge)
            place = folder / mutant.name
            shutil.rmtree(place, ignore_errors=True)
            row = described(mutant)
            if not judge.save(mutant, place):
                row.update(status="unloaded", reason="torch loads other weights")
            changes = None
            if variants:
                other = folder / f"{mutant.name}_varied"
                shutil.rmtree(other, ignore_errors=True)
                changes = judge.vary(mutant, other, random.Random(f"{seed} {number}"))
            shutil.rmtree(scratch, ignore_errors=True)
            rows.append(row)
            futures.append(pool.submit(finish, row, place, changes, bench, say))
        for future in futures:
            future.result()
    bench.close()
    return rows


def finish(row, place, changes, bench, say):
    if "status" not in row:
        try:
            file = place.parent / f"{row['name']}.py"
            row.update(proving.outcome(place, file, bench))
            if changes and row["status"] == proving.PROVEN:
                other = place.parent / f"{row['name']}_varied"
                variant = proving.of_variant(other, file, bench)
                row["variant"] = {"changes": changes, **variant}
        except AssertionError as error:  # a worker's answer
            row.update(status=proving.ERROR, reason=str(error))
    told = " ".join([row["base"], *row["operators"]])
    say(f"{row['name']:14} {row['status']:9} {told}  {row['reason'][:200]}")
    if row.get("variant", {}).get("status") == proving.WRONG:
        say(f"    wrong with {row['variant']}")

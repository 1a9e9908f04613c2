"""Emitted ports on two processes of this machine beside the same ports on one.

    portwright sweep -o DIR && python bench/sharded.py DIR/ports [TYPE...] [--document]

For each port with `shard` or `pipeline`, both processes load the tiny checkpoint of its
type twice, share one of the two by the port's own method, and compute a prefill and
cached steps in float32, and in a pipeline once more as mlx_lm generates. Told are the
largest difference of logits, relative to the largest logit, and the part of the weights
that a process holds. With --document the list goes to docs/sharded.md.
"""

import argparse
import json
import os
import random
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
IDS, PREFILL = [[3, 5, 7, 11, 13, 2, 9, 4]], 5
TOLERANCE = 1e-4
WAYS = ("shard", "pipeline")
WHOLE = """Without `shard`: {}.
None of them has a tensor-parallel plan in transformers either. In their blocks
something sees all columns between the layer that could make a part of them and the one that could
add the parts up: a norm behind attention and in the feed-forward (bitnet), time steps, inputs and
outputs of a recurrence that are read off all channels (mamba, falcon_mamba, mamba2, zamba2), a
recurrence over whole channels (rwkv), heads that are put into the batch (xglm), projections that
are chosen for each token (jetmoe).
"""
_LAUNCH = "from mlx._distributed_utils.launch import main; main()"


def numbers(model):
    from mlx.utils import tree_flatten

    return sum(value.size for _, value in tree_flatten(model.parameters()))


def compare(folder, port, way, group):
    import mlx.core as mx
    from portwright.workers import sharded
    from portwright.workers.candidate import Candidate

    whole, part = Candidate(folder, port), Candidate(folder, port)
    share = sharded.method(part.model, way)
    if share is None:
        return {"status": "none"}
    all_of_it = numbers(whole.model)
    share(group)
    expected = whole.decode(IDS, PREFILL)[0]["logits"]
    runs = [part.decode(IDS, PREFILL)[0]["logits"]]
    if way == "pipeline":
        runs.append(sharded.generate(part, IDS, PREFILL))
    largest = mx.abs(expected).max()
    error = max((mx.abs(got - expected).max() / largest).item() for got in runs)
    holds = numbers(part.model) / all_of_it
    status = "same" if error < TOLERANCE else "differs"
    return {"status": status, "error": error, "holds": holds}


def rank_main(task):
    """One of the two processes: all types in turn."""
    import mlx.core as mx

    group = mx.distributed.init(backend="ring", strict=True)
    for name, folder in task["folders"].items():
        row = {"type": name}
        for way in WAYS:
            try:
                row[way] = compare(folder, f"{task['ports']}/{name}.py", way, group)
            except Exception as error:  # the next type is held all the same
                row[way] = {"status": "fails", "error": repr(error)[:300]}
        if group.rank() == 0:
            with open(task["out"], "a") as out:
                out.write(json.dumps(row) + "\n")


def launch(task):
    command = [
        *(sys.executable, "-c", _LAUNCH, "-n", "2", "--backend", "ring"),
        *("--starting-port", str(random.randrange(20000, 50000, 10)), "--"),
        *(sys.executable, __file__, "--rank", json.dumps(task)),
    ]
    subprocess.run(
        command,
        check=False,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        env={**os.environ, "PYTHONPATH": str(ROOT / "python")},
    )


def shown(row):
    words = []
    for way in WAYS:
        found = row[way]
        known = found["status"] in ("same", "differs")
        told = f"{found['error']:.0e} {found['holds']:.2f}" if known else ""
        if found["status"] == "fails":
            told = found["error"]
        words.append(f"{way}: {found['status']:7} {told:10}")
    return f"{row['type']:24} {'   '.join(words)}".rstrip()


def cells(found):
    same = found["status"] == "same"
    return f"{found['error']:.0e} | {found['holds']:.2f}" if same else " | "


def document(rows):
    count = {w: sum(row[w]["status"] == "same" for row in rows) for w in WAYS}
    shared = [row for row in rows if any(row[w]["status"] == "same" for w in WAYS)]
    lines = [
        "# Ports that two machines share",
        "",
        "`python bench/sharded.py DIR/ports --document` writes this page; it says how.",
        f"Of {len(rows)} ports {count['shard']} have `shard` and compute the same with "
        f"it, and so do {count['pipeline']} with `pipeline`.",
        "",
        "| Type | `shard`: largest difference | a process holds "
        "| `pipeline`: largest difference | a process holds |",
        "|---|---|---|---|---|",
        *(f"| {r['type']} | {' | '.join(cells(r[w]) for w in WAYS)} |" for r in shared),
        "",
        WHOLE.format(
            ", ".join(r["type"] for r in rows if r["shard"]["status"] == "none")
        ),
    ]
    (ROOT / "docs" / "sharded.md").write_text("\n".join(lines))


def main():
    if sys.argv[1] == "--rank":
        return rank_main(json.loads(sys.argv[2]))
    parser = argparse.ArgumentParser()
    parser.add_argument("ports", type=Path)
    parser.add_argument("types", nargs="*")
    parser.add_argument("--document", action="store_true")
    options = parser.parse_args()
    sys.path.insert(0, str(ROOT / "python"))
    from portwright.workers import synth

    names = options.types or sorted(path.stem for path in options.ports.glob("*.py"))
    with tempfile.TemporaryDirectory() as scratch:
        folders = {}
        for name in names:
            folders[name] = f"{scratch}/{name}"
            synth.synth(name, Path(folders[name]))
        out = Path(scratch, "rows")
        ports = str(options.ports.resolve())
        rows = []
        while len(rows) < len(names):  # a process that dies takes one type along
            rest = {name: folders[name] for name in names[len(rows) :]}
            launch({"folders": rest, "ports": ports, "out": str(out)})
            known = out.read_text().splitlines() if out.exists() else []
            if len(known) == len(rows):
                died = {"status": "fails", "error": "died"}
                lost = {"type": names[len(rows)], **{way: died for way in WAYS}}
                known.append(json.dumps(lost))
                out.write_text("\n".join(known) + "\n")
            for line in known[len(rows) :]:
                rows.append(json.loads(line))
                print(shown(rows[-1]), flush=True)
    if options.document:
        document(rows)
    return any(row[w]["status"] in ("differs", "fails") for row in rows for w in WAYS)


if __name__ == "__main__":
    sys.exit(main())

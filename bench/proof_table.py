"""Plants bugs into the ports of diverse architectures and tabulates what is caught.

    python bench/proof_table.py -o DIR [MODEL ...]

Each model is made tiny, compiled and verified with `--prove`; what DIR holds of an
earlier run is kept. The tables are written into docs/bench.md: of the bugs, and of
what each check measures on the sound ports.
"""

import argparse
import json
import statistics
import sys
from pathlib import Path

from launcher import portwright

ROOT = Path(__file__).resolve().parent.parent
DOCUMENT = ROOT / "docs" / "bench.md"

# Dense, sliding, experts, latent attention, sinks, recurrent, hybrid.
MODELS = [
    "llama",
    "gpt2",
    "phi",
    "phi3",
    "gemma2",
    "gemma3_text",
    "cohere2",
    "olmo3",
    "mixtral",
    "qwen3_moe",
    "deepseek_v3",
    "longcat_flash",
    "gpt_oss",
    "mamba2",
    "rwkv",
    "recurrent_gemma",
    "qwen3_next",
    "kimi_linear",
    "bamba",
    "falcon_h1",
    "granitemoehybrid",
    "zamba2",
]


def prove(model, folder):
    checkpoint, port = folder / "checkpoint", folder / f"{model}.py"
    portwright("synth", model, "-o", checkpoint)
    portwright("compile", checkpoint, "-o", port, "--fast", "--map")
    proof = (checkpoint, "--port", port, "--prove", "-o", folder)
    portwright("verify", *proof, verdicts=(0, 1))


def row(model, folder):
    results = json.loads((folder / "results.json").read_text())
    failing = [c["name"] for c in results["checks"] if c["status"] == "fail"]
    if failing:
        return f"| {model} | fails {', '.join(failing)} | | | | |", {}
    bugs = json.loads((folder / "planted.json").read_text())["bugs"]
    caught = [b for b in bugs if b["status"] == "caught"]
    named = [b for b in caught if b["placed"]]
    quiet = [b for b in bugs if b["status"] == "no effect"]
    unreached = [b for b in quiet if "does not reach" in b["reason"]]
    by = {}
    for bug in caught:
        by[bug["check"]] = by.get(bug["check"], 0) + 1
    warned = [c["name"] for c in results["checks"] if c["status"] == "warn"]
    sound = "warns: " + ", ".join(warned) if warned else "sound"
    missed = len(bugs) - len(caught) - len(quiet)
    cells = [model, sound, f"{len(caught)} of {len(caught) + missed}", len(named)]
    cells.append(f"{len(quiet) - len(unreached)} + {len(unreached)}")
    return "| " + " | ".join(map(str, cells)) + " |", by


def table(models, root):
    out = [
        "| Port | As emitted | Effective bugs caught | Line named |"
        " Without effect + not reached |",
        "|---|---|---|---|---|",
    ]
    by = {}
    for model in models:
        line, checks = row(model, root / model)
        out.append(line)
        for check, count in checks.items():
            by[check] = by.get(check, 0) + count
    counts = sorted(by.items(), key=lambda item: (-item[1], item[0]))
    said = ", ".join(f"`{check}` {count}" for check, count in counts)
    return "\n".join([*out, "", f"The first check to notice: {said}."])


def measured(models, root):
    """What each check says of the sound ports, with its time."""
    found = {}
    for model in models:
        for check in json.loads((root / model / "results.json").read_text())["checks"]:
            found.setdefault(check["name"], []).append(check)
    out = ["| Check | Ports | Largest error | Allowed there | Median time |"]
    out.append("|---|---|---|---|---|")
    for name, checks in found.items():
        by = [c["status"] for c in checks]
        said = ", ".join(
            f"{by.count(s)} {s}" for s in ("pass", "warn", "fail", "skipped") if s in by
        )
        passing = [c for c in checks if c["status"] in ("pass", "warn")]
        judged = [c for c in passing if c.get("value") is not None]
        worst = max(judged, key=lambda c: c["value"], default=None)
        cells = [f"`{name}`", said, "", ""]
        if worst:
            cells[2:] = [f"{worst['value']:.1e}", f"{worst['threshold']:.1e}"]
        times = [c["seconds"] for c in passing]
        cells.append(f"{statistics.median(times):.2f} s" if times else "")
        out.append("| " + " | ".join(cells) + " |")
    return "\n".join([*out, "", left_behind(models, root)])


def left_behind(models, root):
    """What a run leaves on disk."""

    def size(path):
        return sum(f.stat().st_size for f in path.rglob("*") if f.is_file()) / 1024

    runs = [next((root / m / "results").glob("*/*/")) for m in models]
    kept = statistics.median(size(run) for run in runs)
    report = statistics.median(
        (root / m / "report.html").stat().st_size / 1024 for m in models
    )
    return (
        f"A run leaves an archive of {kept:.0f} KB (the median), "
        f"and a report of {report:.0f} KB."
    )


def write(text, name):
    begin, end = f"<!-- {name}: begin -->", f"<!-- {name}: end -->"
    before, rest = DOCUMENT.read_text().split(begin)
    after = rest.split(end)[1]
    DOCUMENT.write_text(f"{before}{begin}\n{text}\n{end}{after}")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("models", nargs="*", metavar="MODEL", default=MODELS)
    parser.add_argument("-o", dest="folder", type=Path, required=True)
    options = parser.parse_args()
    root = options.folder.resolve()
    for model in options.models:
        folder = root / model
        if not (folder / "results.json").exists():
            print(model, file=sys.stderr, flush=True)
            folder.mkdir(parents=True, exist_ok=True)
            prove(model, folder)
    write(table(options.models, root), "planted bugs")
    write(measured(options.models, root), "measured")


if __name__ == "__main__":
    main()

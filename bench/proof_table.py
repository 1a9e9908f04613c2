"""Plants bugs into the ports of diverse architectures and tabulates what is caught.

    python bench/proof_table.py -o DIR [MODEL ...]

Each model is made tiny, compiled and verified with `--prove`; what DIR holds of an
earlier run is kept. The table is written into docs/bench.md.
"""

import argparse
import json
import sys
from pathlib import Path

from launcher import portwright

ROOT = Path(__file__).resolve().parent.parent
DOCUMENT = ROOT / "docs" / "bench.md"
BEGIN, END = "<!-- planted bugs: begin -->", "<!-- planted bugs: end -->"

# Dense, sliding, experts, latent attention, sinks, recurrent, hybrid.
MODELS = [
    "llama",
    "gemma2",
    "olmo3",
    "phi3",
    "mixtral",
    "qwen3_moe",
    "deepseek_v3",
    "gpt_oss",
    "mamba2",
    "qwen3_next",
    "falcon_h1",
    "granitemoehybrid",
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


def write(text):
    before, rest = DOCUMENT.read_text().split(BEGIN)
    after = rest.split(END)[1]
    DOCUMENT.write_text(f"{before}{BEGIN}\n{text}\n{END}{after}")


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
    write(table(options.models, root))


if __name__ == "__main__":
    main()

"""Measures sound ports of many types: what `verify` says is usual for a model.

    python bench/experience.py --ports DIR [-o FILE] [--layers N ...] [TYPE ...]

DIR holds TYPE.py files, as `portwright sweep -o` writes them into ports/. Each is
verified on a tiny checkpoint of its type, as deep as the type's own tiny config is
and again with each N layers where the config takes that; only ports that no check
fails are counted. `ninja verify_many` first. Rows of FILE are kept.
"""

import argparse
import json
import tempfile
from pathlib import Path

from warm_workers import WarmWorkers

ROOT = Path(__file__).resolve().parent.parent
FILE = ROOT / "python" / "portwright" / "data" / "experience.json"
CHECKS = ["weights", "logits", "decode", "bfloat16"]


class Bench:
    """Warm workers; new ones after a death."""

    def __init__(self):
        self.workers = None

    def __call__(self, **request):
        self.workers = self.workers or WarmWorkers()
        answer = self.workers(**request)
        if not answer["ok"] and "results" not in answer and "synth" not in request:
            self.workers.process.kill()
            self.workers = None
        return answer


def measure(bench, kind, port, layers):
    """(a row, or none; why)"""
    with tempfile.TemporaryDirectory() as folder:
        overrides = {"num_hidden_layers": layers} if layers else {}
        made = bench(synth=kind, folder=folder, overrides=overrides)
        if not made["ok"]:
            return None, made["error"]
        answer = bench(checkpoint=folder, port=str(port), checks=CHECKS)
    if not answer["ok"]:
        return None, answer["error"]
    results = answer["results"]
    unsound = [c for c in results["checks"] if c["status"] not in ("pass", "warn")]
    if unsound:
        return None, f"{unsound[0]['name']}: {unsound[0]['reason']}"
    values = {"float32": {}, "bfloat16": {}}
    for check in results["checks"]:
        for dtype, key in (("float32", "value"), ("bfloat16", "rounded")):
            if check.get(key) is not None:
                values[dtype][check["name"]] = float(f"{check[key]:.2e}")
    row = {"type": kind, "layers": results["layers"], "kinds": results["kinds"]}
    return {**row, "values": values, "versions": results["versions"]}, ""


def write(file, rows, versions):
    lines = ",\n".join("  " + json.dumps(row) for row in rows)
    head = json.dumps({"version": 1, "versions": versions})[:-1]
    file.write_text(f'{head}, "ports": [\n{lines}\n]}}\n')


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("types", nargs="*", metavar="TYPE")
    parser.add_argument("--ports", type=Path, required=True, metavar="DIR")
    parser.add_argument("-o", type=Path, default=FILE, metavar="FILE")
    parser.add_argument("--layers", type=int, nargs="*", default=[], metavar="N")
    options = parser.parse_args()
    known = json.loads(options.o.read_text()) if options.o.exists() else {}
    rows, versions = known.get("ports", []), known.get("versions", {})
    # Drafts of what was refused or failed lie beside them, as TYPE.holes.py.
    ports = sorted(p for p in options.ports.glob("*.py") if "." not in p.stem)
    bench = Bench()
    for layers in [0, *options.layers]:
        for port in ports:
            have = [r["layers"] for r in rows if r["type"] == port.stem]
            wanted = not options.types or port.stem in options.types
            if not wanted or (layers in have if layers else have):
                continue
            row, why = measure(bench, port.stem, port, layers)
            print(port.stem, layers or "", json.dumps(row) if row else why, flush=True)
            # Without matching layers on both sides there is no depth to file it under.
            if row and row["layers"] and row["layers"] not in have:
                versions = row.pop("versions")
                rows.append(row)
                rows.sort(key=lambda r: (r["type"], r["layers"]))
                write(options.o, rows, versions)


if __name__ == "__main__":
    main()

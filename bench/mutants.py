"""Draws architectures that nobody has written and ports them.

    python bench/mutants.py -o DIR [--count 120] [--seed 1]

torch shows what each change does to the logits; each result is compiled, and what
the compiler stands by is held against torch in mlx_lm. The table is written to
docs/mutants.md where --document is given.
"""

import argparse
import json
import os
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT / "tests"), str(ROOT / "python")]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("-o", dest="folder", type=Path, required=True)
    parser.add_argument("--count", type=int, default=120)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--first", type=int, default=0, help="number of the first")
    parser.add_argument(
        "--variants", action="store_true", help="another config for each, too"
    )
    parser.add_argument("--document", action="store_true", help="docs/mutants.md")
    options = parser.parse_args()
    folder = options.folder.resolve()
    os.environ["HF_MODULES_CACHE"] = str(folder / "modules")
    folder.mkdir(parents=True, exist_ok=True)

    from mutants.page import page
    from mutants.run import run_all

    began = time.monotonic()
    numbers = range(options.first, options.first + options.count)
    rows = run_all(folder, options.seed, numbers, options.variants, say)
    seconds = time.monotonic() - began
    (folder / "mutants.json").write_text(json.dumps(rows, indent=1) + "\n")
    text = page(rows, options, seconds)
    if options.document:
        (ROOT / "docs" / "mutants.md").write_text(text)
    print(text)
    found = [row["status"] for row in rows]
    found += [row["variant"]["status"] for row in rows if "variant" in row]
    return 1 if "wrong" in found else 0


def say(text):
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())

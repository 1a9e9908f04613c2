"""Writes docs/audit.md from what `portwright audit` found.

    portwright audit -o DIR && python bench/audit_page.py DIR

Causes that were confirmed, by repairing the named lines in a copy and seeing the
check turn green, come from tests/port/testdata/audit_fixes.json.
"""

import argparse
import json
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
FIXES = ROOT / "tests/port/testdata/audit_fixes.json"
DOCUMENT = ROOT / "docs/audit.md"
LONGEST = 240

INTRODUCTION = """# Hand-written models of mlx-lm against transformers

Every model file of mlx-lm on a tiny random checkpoint, judged by the whole battery.
v5 is the config as transformers saves it today; v4 has the fields of older checkpoints too: flat rope, other names, `head_dim`.
Written by `portwright audit -o DIR && python bench/audit_page.py DIR`.
"""


def cell(text):
    # What the battery escapes for its own tables, too.
    text = " ".join(text.split()).replace("\\|", "|").replace("|", "/")
    text = text.replace("<", "&lt;")
    return text if len(text) <= LONGEST else text[: LONGEST - 1].rstrip() + "…"


def table(rows, heads):
    out = ["| " + " | ".join(heads) + " |", "|" + "---|" * len(heads)]
    out += ["| " + " | ".join(map(cell, row)) + " |" for row in rows]
    return "\n".join(out)


def counts(audit):
    lines = []
    for form, statuses in audit["summary"].items():
        said = ", ".join(f"{count} {status}" for status, count in statuses.items())
        lines.append(f"- {form}: {said}")
    return "\n".join(lines)


def section(title, text, body):
    return f"## {title}\n\n{text}\n\n{body}\n"


def page(audit, fixes):
    rows = audit["rows"]
    confirmed = {(f["type"], f["form"]): f["cause"] for f in fixes}

    def of(status):
        return [r for r in rows if r["status"] == status]

    def cause(row):
        known = confirmed.get((row["type"], row["form"]))
        return f"confirmed: {known}; {row['reason']}" if known else row["reason"]

    versions = ", ".join(f"{k} {v}" for k, v in sorted(audit["versions"].items()))
    parts = [INTRODUCTION, f"{counts(audit)}\n\n{versions}.\n"]
    parts.append(
        section(
            "Differ",
            "The place is the first that a failing check names; the cause is as the "
            "battery words it, after the confirmed one.",
            table(
                [
                    (
                        r["type"],
                        r["form"],
                        ", ".join(r["failing"]),
                        r["place"],
                        cause(r),
                    )
                    for r in of("differs")
                ],
                ("Type", "Config", "Failing checks", "Place", "Cause"),
            ),
        )
    )
    parts.append(
        section(
            "Confirmed causes",
            "Repaired in a copy of the file the check passes: "
            "`pytest tests/port/test_audit.py --all-types`.",
            table(
                [(f["type"], f["form"], f["file"], f["cause"]) for f in fixes],
                ("Type", "Config", "File", "Cause"),
            ),
        )
    )
    parts.append(
        section(
            "Do not load",
            "The port raises before it computes anything.",
            table(
                [(r["type"], r["form"], cause(r)) for r in of("does not load")],
                ("Type", "Config", "Why"),
            ),
        )
    )
    parts.append(
        section(
            "Match",
            "What the battery warns of all the same.",
            table(
                [(r["type"], r["form"], r["reason"]) for r in of("match")],
                ("Type", "Config", "Warnings"),
            ),
        )
    )
    for status, title in (("no reference", "No reference"), ("failed", "Failed")):
        if of(status):
            found = [(r["type"], r["form"], r["reason"]) for r in of(status)]
            body = table(found, ("Type", "Config", "Why"))
            parts.append(section(title, "Nothing can be said.", body))
    absent = sorted({r["type"] for r in of("no counterpart")}, key=str.lower)
    text = "transformers has no such type: " + ", ".join(absent) + "."
    parts.append(f"## No counterpart\n\n{text}\n")
    return "\n".join(parts)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path, metavar="DIR")
    folder = parser.parse_args().folder
    audit = json.loads((folder / "audit.json").read_text())
    DOCUMENT.write_text(page(audit, json.loads(FIXES.read_text())))


if __name__ == "__main__":
    main()

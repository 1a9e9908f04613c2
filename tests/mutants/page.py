"""docs/mutants.md: the figures of a run."""

import collections

from .gold import CHANGED, KEPT
from .operators import SEMANTIC, STYLE

INTRODUCTION = """# Architectures that nobody has written

Real modeling files of transformers, changed by operators that are drawn at random, each one shown by torch to change the logits; changes of style are shown to keep them.
A mutant has its own `model_type`, its own code in the checkpoint and random weights; torch runs it as remote code.
"proven": the compiler's own proof passed, and the port in mlx_lm agrees with torch in weights, logits, cached decoding and a padded batch. "refused" names what it does not translate, "disproved" is a file that its own proof turned down; "wrong" would be a file that the compiler stands by and torch contradicts; "unjudged" is one on which torch itself raises.
"""


def _counted(names):
    return ", ".join(f"`{n}` {c}" for n, c in sorted(names.items()))


def varied_line(varied):
    if not varied:
        return []
    return [f"The same files with another config that is drawn: {_counted(varied)}."]


def page(rows, options, seconds):
    status = collections.Counter(row["status"] for row in rows)
    used = collections.Counter(op for row in rows for op in row["operators"])
    bases = collections.Counter(row["base"] for row in rows)
    varied = collections.Counter(
        row["variant"]["status"] for row in rows if "variant" in row
    )
    proven = status["proven"]
    semantic = {n: used[n] for n in SEMANTIC if used[n]}
    style = {n: used[n] for n in STYLE if used[n]}
    out = [
        INTRODUCTION,
        f"`python bench/mutants.py -o DIR --count {options.count} --seed {options.seed}`: {seconds:.0f} s.",
        "",
        "| Mutants | " + " | ".join(status) + " |",
        "|---|" + "---|" * len(status),
        f"| {len(rows)} | " + " | ".join(str(c) for c in status.values()) + " |",
        "",
        f"{100 * proven / max(1, len(rows)):.0f}% proven, {status['wrong']} wrong.",
        *varied_line(varied),
        f"A semantic operator changes the logits by at least {CHANGED:g} of the largest, one of style by at most {KEPT:g}.",
        "",
        f"{len(bases)} bases: {_counted(bases)}.",
        "",
        f"{len(semantic)} semantic operators: {_counted(semantic)}.",
        "",
        f"{len(style)} operators of style: {_counted(style)}.",
        "",
        "## Not proven",
        "",
        "| Mutant | Base | Operators | Outcome | Reason |",
        "|---|---|---|---|---|",
    ]
    for row in rows:
        if row["status"] != "proven":
            reason = " ".join(row["reason"].split()).replace("|", "/")[:200]
            operators = ", ".join(row["operators"])
            out.append(
                f"| {row['name']} | {row['base']} | {operators} | {row['status']} | {reason} |"
            )
    for row in rows:
        if row.get("variant", {}).get("status") == "wrong":
            out.append(
                f"| {row['name']} | {row['base']} | {', '.join(row['operators'])} |"
                f" wrong with {row['variant']['changes']} |"
                f" {' '.join(row['variant']['reason'].split())[:200]} |"
            )
    return "\n".join(out) + "\n"

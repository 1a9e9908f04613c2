"""Drawn configs that emitted ports refuse.

    portwright sweep -o DIR && python bench/refused_variants.py DIR/ports [--document]

Each port is one file for all configs of its type, and says in `ModelArgs` which it does not
serve. For each type configs are drawn from a fixed seed: some fields of the tiny one with
other values, spelled otherwise (keys missing, flat, null, of older versions). Those that
transformers makes a model of count; told is how many of them `ModelArgs` refuses, and with
which words. With --document the list goes to docs/variants.md. Whether what is served is
right is for tests/port/test_variants.py.
"""

import argparse
import random
import re
import sys
import tempfile
from collections import Counter
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT / "python"), str(ROOT / "tests" / "library")]
# What a port says of kinds and activations.
NAMED = re.compile(r"rope type|the rope option|(hidden_act|activation_function) \w+ is")
DOCUMENT = ROOT / "docs" / "variants.md"


def is_valid(config):
    """True where transformers makes a model of it that answers."""
    import torch
    from transformers import AutoModelForCausalLM
    from transformers.models.auto.configuration_auto import CONFIG_MAPPING

    torch.manual_seed(0)
    try:
        made = CONFIG_MAPPING[config["model_type"]].from_dict(dict(config))
        model = AutoModelForCausalLM.from_config(made).eval()
        with torch.no_grad():
            logits = model(torch.arange(1, 15)[None], use_cache=False).logits
    except Exception:  # transformers turns it down in its own ways
        return False
    return bool(torch.isfinite(logits).all())


def drawn(name, count, folder):
    """That many valid configs: (fields that were changed, config)."""
    import drawing
    from portwright.workers import synth
    from transformers.models.auto.configuration_auto import CONFIG_MAPPING

    base = synth.synth(name, folder / name)["config"]
    defaults = CONFIG_MAPPING[name]().to_dict()
    dice = random.Random(f"variants of {name}")
    out = []
    for _ in range(4 * count):
        changes = drawing.overrides(dice, base)
        config = drawing.edited(dice, {**base, **changes}, defaults)
        if is_valid(config):
            out.append((changes, config))
        if len(out) == count:
            break
    return out


def refusal(arguments, config):
    try:
        arguments.from_dict(config)
    except ValueError as error:
        return str(error)
    return None


def tally(names, ports, count, folder):
    """For each type (name, drawn, Counter of what the port says)."""
    from portwright.workers.candidate import import_port

    for name in names:
        arguments = import_port(ports / f"{name}.py").ModelArgs
        variants = drawn(name, count, folder)
        said = Counter(refusal(arguments, config) for _, config in variants)
        said.pop(None, None)
        yield name, len(variants), said


def document(rows):
    total = sum(count for _, count, _ in rows)
    refused = sum(sum(said.values()) for _, _, said in rows)
    reasons = Counter()
    for _, _, said in rows:
        reasons.update(said)
    named = sum(n for text, n in reasons.items() if NAMED.match(text))
    lines = [
        "# Drawn configs that ports refuse",
        "",
        "`python bench/refused_variants.py DIR/ports --draws 8 --document` writes this page; it says how.",
        f"Of {total} drawn configs of {len(rows)} types that transformers makes a model of, "
        f"{refused} are refused: {refused / max(total, 1):.0%}.",
        f"{named} of them ask for a kind of rope, an option of one, or an activation that the type "
        f"does not have by itself; the rest is {(refused - named) / max(total, 1):.1%}.",
        "The ports are those of a sweep, each compiled from its type's own default config; one that "
        "is compiled from a checkpoint serves that checkpoint's config too.",
        "",
        "| What the port says | configs |",
        "|---|---|",
        *(f"| {text} | {n} |" for text, n in reasons.most_common()),
        "",
        "| Type | drawn | refused | with |",
        "|---|---|---|---|",
        *(
            f"| {name} | {count} | {sum(said.values())} | {'; '.join(sorted(said))} |"
            for name, count, said in rows
        ),
        "",
    ]
    DOCUMENT.write_text("\n".join(lines))


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("ports", type=Path)
    parser.add_argument("types", nargs="*")
    parser.add_argument("--draws", type=int, default=10)
    parser.add_argument("--document", action="store_true")
    options = parser.parse_args()
    from portwright.workers import offline

    offline.quiet()
    names = options.types or sorted(
        path.stem for path in options.ports.glob("*.py") if "." not in path.stem
    )
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        for row in tally(names, options.ports, options.draws, Path(folder)):
            rows.append(row)
            name, count, said = row
            print(f"{name:28} {sum(said.values())} of {count}", *said, flush=True)
    total = sum(count for _, count, _ in rows)
    print(f"{sum(sum(said.values()) for *_, said in rows)} of {total} refused")
    if options.document:
        document(rows)
    return 0


if __name__ == "__main__":
    sys.exit(main())

"""Drawn configs: compiled from themselves, and served by the port of their type.

    portwright sweep -o DIR && python bench/variants.py DIR/ports [--draws N] [--document]

For each type configs are drawn from a fixed seed: some fields of the tiny one with other
values, spelled otherwise (keys missing, flat, null, of older versions). Those that
transformers runs count. Released checkpoints of a type differ in the form of an activation
("gelu", "gelu_pytorch_tanh"), not in whether it is one of the sigmoid or of the normal
distribution; only types that have it by themselves turn proportionally; no rope changes
within the few ids of a test; and routers choose no more experts than their groups have.
Other changes of these are left out, unless --any asks for them.

Told is, for each config, what becomes of it when it is compiled (in process), and whether
the file compiled from the type alone serves it or says in `ModelArgs` that it does not.
With --document the tables go to docs/variants.md. Whether what a file serves is right is
for tests/port/test_variants.py.
"""

import argparse
import json
import random
import subprocess
import sys
import tempfile
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT / "python"), str(ROOT / "tests" / "library")]
DOCUMENT = ROOT / "docs" / "variants.md"
FAMILIES = [
    {"gelu", "gelu_new", "gelu_pytorch_tanh", "gelu_fast", "quick_gelu"},
    {"relu", "relu2"},
    {"silu", "swish"},
]
SHORTEST = 64  # original_max_position_embeddings
OUTCOMES = {0: "proven", 3: "refused"}
# mlx_lm's class computes it otherwise than transformers, by the factors for long texts
# alone: a file compiled from such a config has its own.
OWN_CLASS = {"longrope"}


@dataclass
class Variant:
    kind: str  # the model type
    config: dict
    outcome: str = ""  # of its own compilation
    reason: str = ""  # why it was not proven
    refusal: str = ""  # what the port of the type says of it, if it refuses


def number(fields):
    """transformers writes an infinite number as {"__float__": "Infinity"}."""
    return float(fields["__float__"]) if "__float__" in fields else fields


def is_valid(config):
    """True where transformers makes a model of it that answers."""
    from transformers import AutoModelForCausalLM
    from transformers.models.auto.configuration_auto import CONFIG_MAPPING

    import torch

    torch.manual_seed(0)
    try:
        fields = json.loads(json.dumps(config), object_hook=number)
        made = CONFIG_MAPPING[config["model_type"]].from_dict(fields)
        model = AutoModelForCausalLM.from_config(made, attn_implementation="eager")
        ids = torch.arange(1, 15)[None]
        with torch.no_grad():
            logits = model.eval()(ids, use_cache=False).logits
    except Exception:  # transformers turns it down in its own ways
        return False
    return bool(torch.isfinite(logits).all())


def rope_sets(value):
    """The set of rotary parameters, or those of each layer kind."""
    if not isinstance(value, dict):
        return []
    inner = [one for item in value.values() for one in rope_sets(item)]
    return [value, *inner] if "rope_type" in value else inner


def is_usual(base, changes):
    for name, value in changes.items():
        for family in FAMILIES:
            if isinstance(value, str) and base[name] in family and value not in family:
                return False
        known = {rope["rope_type"] for rope in rope_sets(base[name])}
        for rope in rope_sets(value):
            if rope["rope_type"] == "proportional" and "proportional" not in known:
                return False
            if rope.get("original_max_position_embeddings", SHORTEST) < SHORTEST:
                return False
    fields = {**base, **changes}
    groups = fields.get("n_group") or 1
    chosen = fields.get("topk_group")
    chosen = groups if chosen is None else chosen
    left = (fields.get("n_routed_experts") or 0) // groups * chosen
    return chosen > 0 and (groups == 1 or left >= fields["num_experts_per_tok"])


def drawn(name, count, folder, every=False):
    """That many valid configs, or fewer where too few of those drawn are."""
    import drawing
    from portwright.workers import synth
    from transformers.models.auto.configuration_auto import CONFIG_MAPPING

    base = synth.synth(name, folder / name)["config"]
    defaults = CONFIG_MAPPING[name]().to_dict()
    dice = random.Random(f"variants of {name}")
    out = []
    for _ in range(6 * count):
        changes = drawing.overrides(dice, base)
        config = drawing.edited(dice, {**base, **changes}, defaults)
        if (every or is_usual(base, changes)) and is_valid(config):
            out.append(Variant(name, config))
        if len(out) == count:
            break
    return out


def judge(variant, arguments, folder):
    """Fills in the outcomes."""
    folder.mkdir()
    (folder / "config.json").write_text(json.dumps(variant.config))
    command = [ROOT / "portwright", "compile", folder, "--fast", "--json"]
    done = subprocess.run(
        [*command, "-o", folder / "port.py"], capture_output=True, text=True
    )
    variant.outcome = OUTCOMES.get(done.returncode, "failed")
    if variant.outcome != "proven":
        said = [line for line in done.stderr.splitlines() if ": " in line]
        wrong = [line for line in said if line.startswith(("error", "the emitted"))]
        variant.reason = (wrong or said or [": ?"])[0].split(": ", 1)[1][:160]
    try:
        arguments.from_dict(variant.config)
    except ValueError as error:
        variant.refusal = str(error)


def wants_class(variant):
    return variant.refusal in {f"rope type {t} is not supported" for t in OWN_CLASS}


def share(part, whole):
    return f"{part} of {whole}, {part / max(whole, 1):.1%}"


def document(rows):
    """`rows`: variants by type."""
    every = [variant for row in rows.values() for variant in row]
    outcomes = Counter(variant.outcome for variant in every)
    refusals = Counter(variant.refusal for variant in every if variant.refusal)
    lost = [variant for variant in every if variant.outcome != "proven"]
    apart = sum(wants_class(variant) for variant in every)
    refused = sum(refusals.values())
    lines = [
        "# Drawn configs",
        "",
        "`python bench/variants.py DIR/ports --draws N --document` writes this page; it says how.",
        f"{len(every)} configs of {len(rows)} types, all of which transformers runs.",
        "",
        f"- Compiled from the config itself: proven {share(outcomes['proven'], len(every))}; "
        f"refused {outcomes['refused']}, disproved before anything was written {outcomes['failed']}.",
        "- Given to the file that was compiled from the type alone: refused in words "
        f"{share(refused, len(every))}.",
        f"- {apart} of these refusals are for a rope type that mlx_lm's class computes otherwise "
        f"than transformers ({' and '.join(sorted(OWN_CLASS))}): a file compiled from such a config "
        "brings a class of its own, of some 25 lines, which the file of a type does not. Without "
        f"these configs: refused {share(refused - apart, len(every) - apart)}.",
        "",
        "## Not proven when compiled from themselves",
        "",
        "| Type | | why |",
        "|---|---|---|",
        *(f"| {v.kind} | {v.outcome} | {v.reason.replace('|', '/')} |" for v in lost),
        "",
        "## Refused by the file of the type",
        "",
        "| What it says | configs |",
        "|---|---|",
        *(f"| {text} | {n} |" for text, n in refusals.most_common()),
        "",
        "| Type | drawn | refused |",
        "|---|---|---|",
        *(
            f"| {name} | {len(row)} | {sum(bool(v.refusal) for v in row)} |"
            for name, row in rows.items()
        ),
        "",
    ]
    DOCUMENT.write_text("\n".join(lines))


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("ports", type=Path)
    parser.add_argument("types", nargs="*")
    parser.add_argument("--draws", type=int, default=8)
    parser.add_argument("--any", action="store_true", help="unusual changes, too")
    parser.add_argument("--document", action="store_true")
    options = parser.parse_args()
    from portwright.workers import offline
    from portwright.workers.candidate import import_port

    offline.quiet()
    names = options.types or sorted(
        path.stem for path in options.ports.glob("*.py") if "." not in path.stem
    )
    rows = {}
    with tempfile.TemporaryDirectory() as folder, ThreadPoolExecutor(2) as pool:
        for name in names:
            arguments = import_port(options.ports / f"{name}.py").ModelArgs
            row = drawn(name, options.draws, Path(folder), options.any)
            places = [Path(folder) / f"{name}.{i}" for i in range(len(row))]
            list(pool.map(judge, row, [arguments] * len(row), places))
            rows[name] = row
            lost = [variant for variant in row if variant.outcome != "proven"]
            refused = sum(bool(variant.refusal) for variant in row)
            print(
                f"{name:28} {len(row)} drawn, {len(row) - len(lost)} proven, "
                f"{refused} refused by the type's file",
                *(f"\n    {variant.outcome}: {variant.reason}" for variant in lost),
                flush=True,
            )
    every = [variant for row in rows.values() for variant in row]
    print(share(sum(v.outcome == "proven" for v in every), len(every)), "proven;")
    print(share(sum(bool(v.refusal) for v in every), len(every)), "refused by files;")
    print(sum(wants_class(v) for v in every), "of these for want of a class of rope")
    if options.document:
        document(rows)
    return 0


if __name__ == "__main__":
    sys.exit(main())

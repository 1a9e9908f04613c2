"""The config of a checkpoint as the Hub holds it from before transformers 5.

Today's transformers leaves out what it can derive, writes other names, and drops
fields that it does not read itself; hand-written ports read them. The numbers
that torch computes stay as they are.
"""

import json
from math import prod
from pathlib import Path

_FIELDS = Path(__file__).resolve().parent.parent / "data" / "hub_fields.json"


def _found(config, path):
    for key in path.split("."):
        config = config.get(key) if isinstance(config, dict) else None
    return config


def _value(config, said):
    """A literal, or `=path` and `=path*path`: what those fields hold."""
    if not (isinstance(said, str) and said.startswith("=")):
        return said
    factors = [_found(config, path) for path in said[1:].split("*")]
    if any(factor is None for factor in factors):
        return None
    return factors[0] if len(factors) == 1 else prod(factors)


def aliases(config, names):
    """Fields under the other name that transformers knows them by."""
    out = {}
    for alias, name in names.items():
        if alias not in config and config.get(name) is not None:
            out[alias] = config[name]
    return out


def head_dim(config, names):
    if config.get("head_dim") is not None or "head_dim" in names:
        return {}
    width, heads = config.get("hidden_size"), config.get("num_attention_heads")
    whole = isinstance(width, int) and isinstance(heads, int) and width % heads == 0
    return {"head_dim": width // heads} if whole else {}


def fields(config, names, known):
    """What older checkpoints hold beyond `config`. `names`: {alias: field}."""
    out = {**aliases(config, names), **head_dim(config, names)}
    for field, said in known.items():
        value = _value({**config, **out}, said)
        if field not in config and value is not None:
            out[field] = value
    return out


def complete(folder):
    """Adds them to the config in `folder`; answers what was added."""
    from transformers import CONFIG_MAPPING

    path = Path(folder) / "config.json"
    config = json.loads(path.read_text())
    kind = config.get("model_type")
    if kind not in CONFIG_MAPPING:  # it brings its own code
        return {}
    names = getattr(CONFIG_MAPPING[kind], "attribute_map", {})
    added = fields(config, names, json.loads(_FIELDS.read_text()).get(kind, {}))
    path.write_text(json.dumps({**config, **added}, indent=2) + "\n")
    return added

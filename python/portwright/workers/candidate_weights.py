"""What a port does with the tensors of a checkpoint."""

import copy
import glob
import sys

from .module_lines import lines_of
from .protocol import WorkerError

_TAINT_LIMIT = 300_000_000  # elements; larger checkpoints skip the usage probe


def raw_weights(mx, folder):
    out = {}
    for file in sorted(glob.glob(str(folder / "model*.safetensors"))):
        out.update(mx.load(file))
    return out


def _flat(model):
    from mlx.utils import tree_flatten

    return dict(tree_flatten(model.parameters()))


def _same(mx, a, b):
    if a.shape != b.shape or a.dtype != b.dtype:
        return False
    return bool(mx.array_equal(a, b, equal_nan=True).item())


def _duplicates(mx, folder, names):
    """Those of `names` that equal another tensor: tied weights stored twice."""
    out = []
    for name in names:
        others = raw_weights(mx, folder)
        w = others.pop(name)
        while others:
            _, other = others.popitem()
            if _same(mx, w, other):
                out.append(name)
                break
    return out


def _unused(mx, sanitize, folder):
    """Raw tensors of which nothing arrives: each is filled with its own number."""
    import numpy as np

    weights = raw_weights(mx, folder)
    floating = [k for k, w in weights.items() if mx.issubdtype(w.dtype, mx.floating)]
    for i, name in enumerate(floating):
        number = mx.array(float(i + 1), dtype=mx.float32)
        weights[name] = mx.broadcast_to(number, weights[name].shape)
    arrived = set()
    made = sanitize(weights)
    del weights
    while made:
        _, w = made.popitem()
        values = np.unique(np.array(w.astype(mx.float32)))
        arrived.update(int(v) for v in values[np.isfinite(values)] if v == int(v))
    missing = [name for i, name in enumerate(floating) if i + 1 not in arrived]
    return [name for name in missing if not _arrives(mx, sanitize, folder, name)]


def _arrives(mx, sanitize, folder, name):
    """Whether anything of a tensor does: it may arrive with other values."""
    weights = raw_weights(mx, folder)
    weights[name] = mx.broadcast_to(mx.array(float("nan")), weights[name].shape)
    made = sanitize(weights)
    del weights
    while made:
        _, w = made.popitem()
        if mx.issubdtype(w.dtype, mx.floating) and mx.any(mx.isnan(w)).item():
            return True
    return False


def _changed(mx, once, twice):
    """Names of tensors that two passes of sanitize make otherwise than one. Empties
    both: what has been compared need not stay in memory."""
    out = sorted(set(once) ^ set(twice))
    for name in list(once):
        a, b = once.pop(name), twice.pop(name, None)
        if b is not None and a is not b and not _same(mx, a, b):
            out.append(name)
    return out


def _lacking(missing, parameters, held):
    """The outermost module around the first missing tensor of which every one is, and
    of which the checkpoint holds nothing."""
    path = missing[0] if missing else ""
    out = None
    while "." in path:
        path = path.rpartition(".")[0]
        inside = [name for name in parameters if name.startswith(path + ".")]
        known = any(name.startswith(path + ".") for name in held)
        if known or not set(inside) <= set(missing):
            break
        out = path
    return out


def _refused(weights, tied, sanitize, parameters):
    """Of the tensors that are tied to another, those that a checkpoint may hold all
    the same and the port has no place for."""
    added = {
        name: weights[other]
        for name, other in (tied or {}).items()
        if other in weights and name not in weights
    }
    made = sanitize({**weights, **added}) if added else {}
    return sorted(set(made) - set(parameters))


def inspect_weights(candidate_classes, folder, config, tied=None):
    """Missing, unused, misshapen; whether sanitize is idempotent. Never holds more
    than a few tensors: a checkpoint may be larger than the memory.

    `tied`: {tensor: the one that it is}, as transformers ties them."""
    import mlx.core as mx

    model_class, args_class = candidate_classes
    weights = raw_weights(mx, folder)
    if not weights:
        raise WorkerError("checkpoint-error", f"no model*.safetensors in {folder}")
    model = model_class(args_class.from_dict(copy.deepcopy(config)))

    def sanitize(given):
        """By a model of its own: it may drop modules that the weights lack."""
        fresh = model_class(args_class.from_dict(copy.deepcopy(config)))
        return fresh.sanitize(given) if hasattr(fresh, "sanitize") else given

    held = list(weights)
    elements = sum(w.size for w in weights.values())
    once = sanitize(dict(weights))
    if hasattr(model, "sanitize"):
        model.sanitize(dict(weights))
    del weights
    parameters = {name: list(p.shape) for name, p in _flat(model).items()}
    missing = sorted(set(parameters) - set(once))
    twice = sanitize(dict(once))
    report = {
        "tensors": len(held),
        "parameters": len(parameters),
        "missing": missing,
        "lacking": _lacking(missing, parameters, held),
        "modules": lines_of(model, sys.modules[model_class.__module__]),
        "tied": _refused(raw_weights(mx, folder), tied, sanitize, parameters),
        "extra": sorted(set(once) - set(parameters)),
        "misshapen": [
            {"name": k, "port": parameters[k], "checkpoint": list(v.shape)}
            for k, v in once.items()
            if k in parameters and parameters[k] != list(v.shape)
        ],
        "sanitize_changes_again": _changed(mx, once, twice),
        "dropped": [],
        "duplicates": [],
    }
    if elements < _TAINT_LIMIT:
        report["dropped"] = _unused(mx, sanitize, folder)
        report["duplicates"] = _duplicates(mx, folder, report["dropped"])
    return report

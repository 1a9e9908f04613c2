"""What a port does with the tensors of a checkpoint."""

import copy
import glob

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


def _not_finite(mx, weights):
    out = []
    for name, w in weights.items():
        if mx.issubdtype(w.dtype, mx.floating):
            if not bool(mx.all(mx.isfinite(w.astype(mx.float32))).item()):
                out.append(name)
    return out


def _duplicates(mx, weights):
    """Names of tensors that equal an earlier one: tied weights stored twice."""
    seen = {}
    out = set()
    for name, w in weights.items():
        key = (tuple(w.shape), str(w.dtype))
        for other in seen.setdefault(key, []):
            if _same(mx, w, weights[other]):
                out.add(name)
                break
        seen[key].append(name)
    return out


def _unused(mx, sanitize, weights):
    """Raw tensors of which nothing arrives: each is filled with its own number."""
    import numpy as np

    names = list(weights)
    tainted = {}
    for i, name in enumerate(names):
        w = weights[name]
        number = mx.full(w.shape, float(i + 1), dtype=mx.float32)
        tainted[name] = number if mx.issubdtype(w.dtype, mx.floating) else w
    arrived = set()
    for w in sanitize(tainted).values():
        values = np.unique(np.array(w.astype(mx.float32)))
        arrived.update(int(v) for v in values[np.isfinite(values)] if v == int(v))
    missing = [
        name
        for i, name in enumerate(names)
        if i + 1 not in arrived and mx.issubdtype(weights[name].dtype, mx.floating)
    ]
    return [name for name in missing if not _arrives(mx, sanitize, weights, name)]


def _arrives(mx, sanitize, weights, name):
    """Whether anything of a tensor does: it may arrive with other values."""
    marked = {**weights, name: mx.full(weights[name].shape, float("nan"))}
    return any(
        bool(mx.any(mx.isnan(w)).item())
        for w in sanitize(marked).values()
        if mx.issubdtype(w.dtype, mx.floating)
    )


def inspect_weights(candidate_classes, folder, config):
    """Missing, unused, misshapen, not finite; whether sanitize is idempotent."""
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

    once = sanitize(dict(weights))
    if hasattr(model, "sanitize"):
        model.sanitize(dict(weights))
    parameters = _flat(model)
    twice = sanitize(dict(once))
    changed = sorted(set(once) ^ set(twice))
    changed += [k for k in once if k in twice and not _same(mx, once[k], twice[k])]
    report = {
        "tensors": len(weights),
        "parameters": len(parameters),
        "missing": sorted(set(parameters) - set(once)),
        "extra": sorted(set(once) - set(parameters)),
        "misshapen": [
            {"name": k, "port": list(parameters[k].shape), "checkpoint": list(v.shape)}
            for k, v in once.items()
            if k in parameters and parameters[k].shape != v.shape
        ],
        "not_finite": _not_finite(mx, weights),
        "sanitize_changes_again": changed,
        "dropped": [],
        "duplicates": sorted(_duplicates(mx, weights)),
    }
    if sum(w.size for w in weights.values()) < _TAINT_LIMIT:
        report["dropped"] = _unused(mx, sanitize, weights)
    return report

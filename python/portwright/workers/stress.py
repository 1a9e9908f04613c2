"""Inputs of torch's modules made for what a prompt hardly reaches: so small that an
eps matters, so large that caps, clamps and tails of activations do."""

import copy

from .reference import Feed


def _rms(value):
    return value.square().mean().sqrt().clamp(min=1e-12)


def tiny(value):
    return value * (1e-3 / _rms(value))


def large(value):
    return value * (30 / _rms(value))


KINDS = {"tiny": tiny, "large": large}


def _inputs(seen, paths, change):
    """{`in:PATH`: stressed} of what modules were given first."""
    out = {}
    for path in paths:
        value = seen.get(f"in:{path}")
        if value is not None and value.is_floating_point() and value.ndim > 1:
            out[f"in:{path}"] = change(value.float()).to(value.dtype)
    return out


def _fed(reference, ids, inputs, use_cache=False):
    with Feed(reference.model, inputs, reference.torch):
        return reference.forward(ids, None, ".*", use_cache)[0]


def in_float64(reference):
    """The same model; it may raise where the source has float32 in it."""
    twin = copy.copy(reference)
    twin.model = copy.deepcopy(reference.model).double()
    return twin


def in_float32(reference, twin, ids, groups, kinds):
    """Each module of a group of paths given its stressed input, one group at a time.

    Returns ({"KINDn/in:PATH", "KINDn/out:PATH", "KINDn/exact:PATH"}, order) for the
    n-th group, the last computed by `twin`, in float64, where the model can be.
    """
    seen, order = reference.forward(ids, None, ".*")
    out = {}
    for n, kind, inputs in _all_inputs(seen, groups, kinds):
        fed = _fed(reference, ids, inputs)
        try:
            exact = _fed(twin, ids, inputs)
        except RuntimeError:  # what is float32 in the source meets float64
            exact = {}
        _keep(out, f"{kind}{n}", inputs, {"in": fed, "out": fed, "exact": exact})
    return out, order


def in_bfloat16(reference, folder, ids, groups, kinds):
    """The same in bfloat16: "out" of that, "exact" in float32 on the same inputs and
    weights; "routes" and "exactly" are the experts that modules were told by either.
    """
    low = reference.in_bfloat16(folder)
    exact = reference.widened(low)
    cache = reference.low_needs_cache
    seen, order = low.forward(ids, None, ".*", cache)
    out = {}
    for n, kind, inputs in _all_inputs(seen, groups, kinds):
        runs = [_fed(side, ids, inputs, cache) for side in (low, exact)]
        _keep(
            out, f"{kind}{n}", inputs, {"in": runs[0], "out": runs[0], "exact": runs[1]}
        )
        for name, run in zip(("routes", "exactly"), runs):
            for key, value in run.items():
                if key.startswith("routes:"):
                    out[f"{kind}{n}/{name}:{key.removeprefix('routes:')}"] = value
    return out, order


def _all_inputs(seen, groups, kinds):
    for n, paths in enumerate(groups):
        for kind in kinds:
            yield n, kind, _inputs(seen, paths, KINDS[kind])


def _keep(out, prefix, inputs, runs):
    for key in inputs:
        path = key.removeprefix("in:")
        for name, tensors in runs.items():
            found = tensors.get(key if name == "in" else f"out:{path}")
            if found is not None and found.is_floating_point():
                out[f"{prefix}/{name}:{path}"] = found

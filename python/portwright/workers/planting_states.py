"""Planted bugs of masks, caches, states and the norms of what they hold."""

import ast

from .planting import name_of

# Whoever is called after this one may look at everything.
_OVERWRITTEN = (
    "(lambda m: (mx.array(m), m.__setitem__(..., 1))[0] "
    "if isinstance(m, mx.array) else m)({})"
)
# Position and name of what state updates of mlx_lm take.
_TIME_STEP_LIMIT, _SSM_MASK, _DELTA_MASK = 8, 9, 8


def shared_mask(node, scope):
    """The first kind's mask for every layer."""
    if isinstance(node, ast.Subscript) and isinstance(node.ctx, ast.Load):
        held = node.value
        if isinstance(held, ast.Name) and "mask" in held.id:
            if isinstance(node.slice, ast.Name):
                new = f"(list({held.id}.values()) if isinstance({held.id}, dict) "
                yield "one-mask-for-all-kinds", node, f"{new}else {held.id})[0]"


def mask_as_number(node, scope):
    """A mask of booleans is added to the scores; padding is not kept from states."""
    if not (isinstance(node, ast.Call) and len(node.args) == 3):
        return
    if name_of(node.func) != "where" or "mask" not in scope.source(node.args[0]):
        return
    mask, kept, fill = map(scope.source, node.args)
    if isinstance(node.args[2], ast.Constant) and node.args[2].value == 0:
        yield "ignored-state-mask", node, kept
    elif "min" in fill or "inf" in fill:
        yield "added-mask", node, f"({kept} + ({mask}).astype({kept}.dtype))"


def overwritten_mask(node, scope):
    if isinstance(node, ast.Call) and "attention" in name_of(node.func):
        for keyword in node.keywords:
            if keyword.arg == "mask" and isinstance(keyword.value, ast.Name):
                new = _OVERWRITTEN.format(keyword.value.id)
                yield "overwritten-mask", keyword.value, new


def short_cache(node, scope):
    """Caches whose size is no keyword."""
    if isinstance(node, ast.Call) and node.args:
        kinds = {
            "RotatingKVCache": "short-rotating-cache",
            "ChunkedKVCache": "short-chunked-cache",
        }
        name = kinds.get(name_of(node.func))
        if name:
            size = node.args[0]
            yield name, size, f"({scope.source(size)}) - 1"


def _argument(node, at, name):
    for keyword in node.keywords:
        if keyword.arg == name:
            return keyword.value
    return node.args[at] if len(node.args) > at else None


def updates(node, scope):
    """What a state update takes beside the state."""
    if not isinstance(node, ast.Call):
        return
    name = name_of(node.func)
    if name == "ssm_update":
        limit = _argument(node, _TIME_STEP_LIMIT, "time_step_limit")
        if limit is not None:
            yield "dropped-clamp-of-time-steps", limit, "(0.0, float('inf'))"
        mask = _argument(node, _SSM_MASK, "mask")
    elif name == "gated_delta_update":
        mask = _argument(node, _DELTA_MASK, "mask")
    else:
        return
    if isinstance(mask, ast.Name):
        yield "ignored-state-mask", mask, "None"


def wide_state(node, scope):
    """A state that is kept in float32, and makes all that follows float32."""
    if not isinstance(node, ast.Assign):
        return
    target = node.targets[0]
    if isinstance(target, ast.Subscript) and isinstance(target.value, ast.Name):
        held = isinstance(node.value, (ast.Name, ast.Subscript, ast.Call))
        if target.value.id in ("cache", "c") and held:
            new = f"({scope.source(node.value)}).astype(mx.float32)"
            yield "float32-state", node.value, new


def _norm(node):
    """Where a norm of mlx has its weight and its eps; nothing of another call."""
    if isinstance(node, ast.Call) and node.args:
        return {"rms_norm": (1, 2), "layer_norm": (1, 3)}.get(name_of(node.func))
    return None


def norms(node, scope):
    """Norms that are functions."""
    places = _norm(node)
    if not places:
        return
    weight, eps = (node.args[at] if len(node.args) > at else None for at in places)
    if eps is not None:
        yield "wrong-eps", eps, f"({scope.source(eps)}) * 10"
    given = scope.source(node.args[0])
    if scope.cls and "Norm" not in scope.cls.name:
        yield f"dropped-{name_of(node.func)}", node, f"({given})"
    whole = isinstance(weight, ast.Constant) and weight.value is None
    grouped = node.args[0]
    if isinstance(grouped, ast.Name):
        grouped = scope.bound.get(grouped.id)
    if whole and isinstance(grouped, ast.Call) and len(grouped.args) > 2:
        if name_of(grouped.func) in ("reshape", "unflatten"):
            func = scope.source(node.func)
            rest = ", ".join(map(scope.source, node.args[1:]))
            new = f"(lambda v: {func}(v.flatten(-2), {rest}).reshape(v.shape))({given})"
            yield "norm-over-all-groups", node, new


PATTERNS = [
    shared_mask,
    mask_as_number,
    overwritten_mask,
    short_cache,
    updates,
    wide_state,
    norms,
]

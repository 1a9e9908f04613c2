"""Planted bugs of ropes and positions, and of the fields that they are made of."""

import ast

from .planting import is_own, name_of


def _makes_rope(node):
    """A call that makes a rope: of mlx_lm's function, of mlx, or of the port itself."""
    return isinstance(node, ast.Call) and any(
        keyword.arg in ("base", "scaling_config") for keyword in node.keywords
    )


def one_rope_for_all_kinds(node, scope):
    """Fields of the first layer's kind, or of one of two, for every layer."""
    if scope.function.name != "__init__" or not _makes_rope(node):
        return
    for inner in ast.walk(node):
        if isinstance(inner, ast.Subscript) and isinstance(inner.slice, ast.Name):
            kinds = scope.source(inner.value)
            if kinds.endswith("layer_types"):
                yield "one-rope-for-all-kinds", inner, f"{kinds}[0]"
        if isinstance(inner, ast.IfExp):
            yield "one-rope-for-all-kinds", inner, scope.source(inner.body)


def rope_in_every_layer(node, scope):
    """Rotated where the model has no rope: what decides is true of every layer."""
    if scope.function.name != "__init__" or not isinstance(node, ast.If):
        return
    if not any(_makes_rope(inner) for part in node.body for inner in ast.walk(part)):
        return
    test = ast.dump(node.test)
    for inner in ast.walk(scope.function):
        if isinstance(inner, ast.expr) and ast.dump(inner) == test:
            yield "rope-in-every-layer", inner, "True"


def _is_rope_parameters(node):
    return isinstance(node, ast.Attribute) and node.attr == "rope_parameters"


def unread_parameters(node, scope):
    """Nested rope parameters, in which configs are saved today, are not read."""
    if isinstance(node, ast.BoolOp) and isinstance(node.op, ast.Or):
        kept = [v for v in node.values if not (_is_rope_parameters(v) and is_own(v))]
        if kept and len(kept) < len(node.values):
            new = " or ".join(map(scope.source, kept))
            yield "rope-parameters-not-read", node, f"({new})"


def hard_coded_base(node, scope):
    if isinstance(node, ast.Call) and name_of(node.func) == "get" and node.args:
        first = node.args[0]
        if isinstance(first, ast.Constant) and first.value == "rope_theta":
            yield "hard-coded-rope-base", node, "10000.0"


def lost_offset(node, scope):
    """Positions are counted from nought whatever the cache holds."""
    if not (isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name)):
        return
    value = node.value
    if isinstance(value, ast.IfExp):
        value = value.body
    if isinstance(value, ast.Call) and len(value.args) == 1:  # mx.array(...)
        value = value.args[0]
    if isinstance(value, ast.Attribute) and value.attr == "offset":
        yield "lost-cache-offset", value, "0"


def length_of_wrong_axis(node, scope):
    """A rope that grows with the length takes the number of heads for it."""
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
        right = scope.source(node.right)
        if "offset" in scope.source(node.left) and right.endswith(".shape[-2]"):
            new = right.replace("[-2]", "[-3]")
            yield "length-of-the-wrong-axis", node.right, new


PATTERNS = [
    one_rope_for_all_kinds,
    rope_in_every_layer,
    unread_parameters,
    hard_coded_base,
    lost_offset,
    length_of_wrong_axis,
]

"""Planted bugs of gated layers and of experts."""

import ast

from .planting import called_own, is_own, name_of

# Calls the one where the layer calls the other.
_SWAPPED = (
    "type('Swapped', ({0},), {{'__call__': lambda m, *a: (lambda swap: "
    "[swap(), {0}.__call__(m, *a), swap()][1])(lambda: dict.update("
    "m, gate_proj=m['up_proj'], up_proj=m['gate_proj']))}})"
)


def _resolved(node, scope):
    """What a local name is bound to, or the node itself."""
    if isinstance(node, ast.Name):
        return scope.bound.get(node.id, node)
    return node


def gate_and_up(node, scope):
    """The activation of the gate is a statement of its own."""
    if not (scope.is_call and isinstance(node, ast.BinOp)):
        return
    if not isinstance(node.op, ast.Mult):
        return
    for one, other in ((node.left, node.right), (node.right, node.left)):
        activated = _resolved(one, scope)
        if not isinstance(one, ast.Name) or called_own(activated):
            continue
        if not (isinstance(activated, ast.Call) and len(activated.args) == 1):
            continue
        inner = activated.args[0]
        gate, up = _resolved(inner, scope), _resolved(other, scope)
        if called_own(gate) and called_own(up):
            yield "swapped-gate-and-up", inner, scope.source(up)
            yield "swapped-gate-and-up", other, scope.source(gate)
            return


def _is_gated(node):
    return isinstance(node, ast.Call) and "glu" in name_of(node.func)


def halves(node, scope):
    """Two halves of one projection, taken for each other."""
    if not (isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Tuple)):
        return
    names, value = node.targets[0], node.value
    if len(names.elts) != 2 or not all(isinstance(n, ast.Name) for n in names.elts):
        return
    if any(_is_gated(inner) for inner in ast.walk(scope.function)):
        return  # its arguments are exchanged
    one, other = (n.id for n in names.elts)
    split = isinstance(value, ast.Call) and name_of(value.func) == "split"
    cut = isinstance(value, ast.Tuple) and scope.is_sanitize
    if split and scope.is_call or (split or cut) and "gate" in one + other:
        gated = "gate" in one + other
        name = "swapped-gate-and-up" if gated else "swapped-halves"
        yield name, names, f"{other}, {one}"


def experts(node, scope):
    if isinstance(node, ast.Call) and name_of(node.func) == "SwitchGLU":
        made = scope.source(node.func)
        yield "swapped-gate-and-up", node.func, _SWAPPED.format(made)


def activation(node, scope):
    """One that a table of the config's names gives."""
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Subscript):
        table, func = node.func.value, scope.source(node.func)
        if isinstance(table, ast.Name) and table.id.isupper() and len(node.args) == 1:
            new = f"(nn.gelu_approx if {func} is nn.gelu else nn.gelu)"
            yield "other-activation", node.func, new


def dropped_bias(node, scope):
    """What is added to the scores that choose."""
    if not (scope.chooses and isinstance(node, ast.BinOp)):
        return
    if isinstance(node.op, ast.Add) and isinstance(
        node.right, (ast.Attribute, ast.Name)
    ):
        if "bias" in scope.source(node.right):
            yield "dropped-expert-bias", node, scope.source(node.left)


def ignored_groups(node, scope):
    """Experts of groups that are not chosen take part all the same."""
    if not (scope.chooses and isinstance(node, ast.Call) and node.args):
        return
    if name_of(node.func) == "put_along_axis":
        yield "ignored-groups", node, scope.source(node.args[0])


def chosen(node, scope):
    """What is computed in another way for some tokens or experts is not."""
    if not (scope.is_call and isinstance(node, ast.Call) and len(node.args) == 3):
        return
    if name_of(node.func) != "where" or "mask" in scope.source(node.args[0]):
        return
    if not any(isinstance(a, ast.Constant) for a in node.args):
        yield "dropped-where", node, scope.source(node.args[2])


def scaled_in_place(node, scope):
    """`h *= self.scale`"""
    if scope.is_call and isinstance(node, ast.AugAssign):
        value = node.value
        if isinstance(node.op, (ast.Mult, ast.Div)) and isinstance(
            value, ast.Attribute
        ):
            nested = scope.source(value).count(".") > 1
            if is_own(value) and (nested or value.attr in scope.scalars):
                yield f"dropped-{value.attr}", node, "pass"


PATTERNS = [
    gate_and_up,
    halves,
    experts,
    activation,
    dropped_bias,
    ignored_groups,
    chosen,
    scaled_in_place,
]

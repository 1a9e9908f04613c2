"""The bugs that ports have shipped with, as edits of operations.

A pattern gets a node and its scope and yields (name, node to replace, new text).
"""

import ast

from . import planting_experts, planting_positions, planting_states
from .planting import called_own, is_own, name_of

_NEIGHBOURS = {
    "gelu_approx": "gelu",
    "gelu": "gelu_approx",
    "silu": "gelu",
    "relu": "silu",
    "relu2": "relu",
}


# A cache that keeps everything, and asks single steps for no mask.
_FORGETS_NO_STEP = (
    "(lambda K: type('KVCache', (K,), {'make_mask': lambda self, N, *a, **k: "
    "None if N == 1 else K.make_mask(self, N, *a, **k)})())"
    "(__import__('mlx_lm').models.cache.KVCache)"
)


def _is_number(node, *values):
    return isinstance(node, ast.Constant) and node.value in values


def _is_none(node):
    return isinstance(node, ast.Constant) and node.value is None


def keywords(node, scope):
    """What mlx and mlx_lm call the things that go wrong."""
    if not isinstance(node, ast.Call):
        return
    changes = {
        "base": ("wrong-rope-base", "({}) * 1.1"),
        "freqs": ("wrong-rope-frequencies", "({}) * 1.1"),
        "traditional": ("wrong-rope-pairing", "not ({})"),
        "offset": ("lost-cache-offset", "0"),
        "scaling_config": ("ignored-rope-scaling", "None"),
        "eps": ("wrong-eps", "({}) * 10"),
        "sinks": ("dropped-sinks", "None"),
        "max_size": ("short-rotating-cache", "({}) - 1"),
    }
    for keyword in node.keywords:
        value = keyword.value
        if keyword.arg in changes and not _is_none(value):
            name, new = changes[keyword.arg]
            if not (keyword.arg == "offset" and _is_number(value, 0)):
                yield name, value, new.format(scope.source(value))
        if keyword.arg == "window_size" and not _is_none(value):
            yield "window-off-by-one", value, f"({scope.source(value)}) + 1"
            yield "lost-window", value, "None"
        if keyword.arg == "mask" and "attention" in name_of(node.func):
            yield "ignored-mask", value, "None"
        if keyword.arg == "scale" and "attention" in name_of(node.func):
            yield "wrong-attention-scale", value, f"({scope.source(value)}) * 1.1"


def rotary_dims(node, scope):
    if isinstance(node, ast.Call) and name_of(node.func) in ("initialize_rope", "RoPE"):
        if node.args:
            dims = node.args[0]
            yield "wrong-rotary-dims", dims, f"({scope.source(dims)}) // 4 * 2"


def rope_dropped(node, scope):
    if called_own(node) and any(k.arg == "offset" for k in node.keywords) and node.args:
        yield "dropped-rope", node, f"({scope.source(node.args[0])})"


def norm_offset(node, scope):
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
        for one, other in ((node.left, node.right), (node.right, node.left)):
            if _is_number(one, 1) and isinstance(other, ast.Attribute):
                if other.attr == "weight":
                    yield "dropped-norm-offset", node, scope.source(other)


def norm_dropped(node, scope):
    made = called_own(node)
    if made and "Norm" in scope.made.get(made, "") and node.args:
        yield f"dropped-norm-{made}", node, f"({scope.source(node.args[0])})"


def rounded_between(node, scope):
    """Harmless in float32; a dtype with few digits keeps little of the value."""
    made = called_own(node)
    if scope.is_call and made and "Norm" in scope.made.get(made, "") and node.args:
        given = node.args[0]
        new = f"(lambda v: 33 * v - 32 * v)({scope.source(given)})"
        yield f"rounded-before-{made}", given, new


def gate_and_up(node, scope):
    if not scope.is_call:
        return
    if isinstance(node, ast.Call) and "glu" in name_of(node.func):
        if len(node.args) == 2 and not called_own(node):
            gate, up = map(scope.source, node.args)
            func = scope.source(node.func)
            yield "swapped-gate-and-up", node, f"{func}({up}, {gate})"
            yield "other-activation", node, f"nn.gelu({gate}) * ({up})"
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Mult):
        left, right = node.left, node.right
        if isinstance(left, ast.Call) and len(left.args) == 1 and called_own(right):
            if called_own(left.args[0]):
                func, gate = scope.source(left.func), scope.source(left.args[0])
                new = f"{func}({scope.source(right)}) * {gate}"
                yield "swapped-gate-and-up", node, new


def activation(node, scope):
    if isinstance(node, ast.Attribute) and node.attr in _NEIGHBOURS:
        if isinstance(node.value, ast.Name) and node.value.id == "nn":
            yield "other-activation", node, f"nn.{_NEIGHBOURS[node.attr]}"


def softcap(node, scope):
    if isinstance(node, ast.Call) and name_of(node.func) == "tanh" and node.args:
        inner = node.args[0]
        if isinstance(inner, ast.BinOp) and isinstance(inner.op, ast.Div):
            yield "dropped-softcap", node, f"({scope.source(inner)})"


def factor(node, scope):
    """A multiplier that the config gives."""
    if not (scope.is_call and isinstance(node, ast.BinOp)):
        return

    def is_scalar(side):
        if not (isinstance(side, ast.Attribute) and is_own(side)):
            return False
        return side.attr in scope.scalars or scope.source(side).count(".") > 1

    if isinstance(node.op, ast.Mult):
        for side, other in ((node.left, node.right), (node.right, node.left)):
            if is_scalar(side) and side.attr != "weight":
                yield f"dropped-{side.attr}", node, f"({scope.source(other)})"
                return
    if isinstance(node.op, ast.Div) and is_scalar(node.right):
        yield f"dropped-{node.right.attr}", node, f"({scope.source(node.left)})"


def branch(node, scope):
    """What a module adds: a residual branch, shared experts."""
    if scope.is_call and isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
        if made := called_own(node.right):
            yield f"dropped-{made}", node, f"({scope.source(node.left)})"


def router(node, scope):
    if not scope.chooses:
        return
    if isinstance(node, ast.Call) and node.args:
        name, args = name_of(node.func), node.args
        first = scope.source(args[0])
        if name == "softmax":
            yield "sigmoid-for-softmax", node, f"mx.sigmoid({first})"
        if name == "sigmoid":
            yield "softmax-for-sigmoid", node, f"mx.softmax({first}, axis=-1)"
        if name == "argpartition" and isinstance(args[0], ast.UnaryOp):
            yield "worst-experts-chosen", args[0], scope.source(args[0].operand)
        if name == "take_along_axis" and isinstance(args[0], ast.Name):
            yield from _biased_weights(args[0], scope)
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Div):
        if isinstance(node.right, (ast.Call, ast.BinOp)) and "sum(" in scope.source(
            node.right
        ):
            yield "weights-not-normalized", node, scope.source(node.left)
    if isinstance(node, ast.AugAssign) and isinstance(node.op, ast.Div):
        yield "weights-not-normalized", node, "pass"
    if isinstance(node, ast.If) and is_own(node.test):
        yield "other-router-branch", node.test, f"not {scope.source(node.test)}"


def _is_softmax(node):
    return isinstance(node, ast.Call) and name_of(node.func) == "softmax" and node.args


def _gathered(node):
    """x and inds of take_along_axis(x, inds, ...)."""
    if isinstance(node, ast.Call) and name_of(node.func) == "take_along_axis":
        return node.args[:2] if len(node.args) > 1 else None
    return None


def order_of_softmax(node, scope):
    """Softmax of all experts' scores, then the choice; or the other way round."""
    if not (scope.chooses and isinstance(node, ast.Call) and node.args):
        return
    first = scope.bound.get(scope.source(node.args[0]))
    taken = _gathered(node)
    if taken and _is_softmax(first):
        x, inds = scope.source(first.args[0]), scope.source(taken[1])
        new = f"mx.softmax(mx.take_along_axis({x}, {inds}, axis=-1), axis=-1)"
        yield "softmax-after-choice", node, new
    inner = _gathered(first)
    if _is_softmax(node) and inner:
        x, inds = map(scope.source, inner)
        new = f"mx.take_along_axis(mx.softmax({x}, axis=-1), {inds}, axis=-1)"
        yield "softmax-before-choice", node, new


def conversions(node, scope):
    """What has to be float32 computes in the model's dtype."""
    if not isinstance(node, ast.Call):
        return
    if name_of(node.func) == "astype" and scope.source(node).endswith("(mx.float32)"):
        kept = scope.source(node.func.value)
        yield f"float32-lost-in-line-{node.lineno}", node, f"({kept})"
    first = node.args[0] if _is_softmax(node) else None
    if isinstance(first, ast.Call) and name_of(first.func) == "astype":
        kept = [scope.source(first.func.value), *map(scope.source, node.args[1:])]
        kept += [scope.source(k) for k in node.keywords if k.arg != "precise"]
        new = f"mx.softmax({', '.join(kept)}, precise=True)"
        yield "softmax-rounds-its-answer", node, new
    for keyword in node.keywords:
        if keyword.arg == "precise":
            yield "softmax-not-precise", keyword.value, "False"


def _biased_weights(taken, scope):
    """Weights gathered from the scores that only choose."""
    for node in ast.walk(scope.function):
        if isinstance(node, ast.Call) and name_of(node.func) == "argpartition":
            scores = node.args[0]
            if isinstance(scores, ast.UnaryOp):
                scores = scores.operand
            if isinstance(scores, ast.Name) and scores.id != taken.id:
                yield "weights-from-biased-scores", taken, scores.id


def cache(node, scope):
    if isinstance(node, ast.Call) and name_of(node.func) == "update_and_fetch":
        if len(node.args) == 2:
            keys, values = map(scope.source, node.args)
            yield "lost-cache", node, f"({keys}, {values})"
            func = scope.source(node.func)
            new = f"{func}({keys}[:, ::-1], {values}[:, ::-1])"
            yield "other-order-of-heads", node, new
    if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Subscript):
        held = node.targets[0].value
        if isinstance(held, ast.Name) and held.id in ("cache", "c"):
            yield "state-not-written-back", node, "pass"
    if isinstance(node, ast.Call) and name_of(node.func) == "RotatingKVCache":
        yield "lost-window-in-steps", node, _FORGETS_NO_STEP
    if isinstance(node, ast.Expr) and isinstance(node.value, ast.Call):
        if name_of(node.value.func) == "advance":
            yield "cache-not-advanced", node, "pass"


def repetition(node, scope):
    if isinstance(node, ast.Call) and name_of(node.func) == "repeat":
        axis = next((k.value for k in node.keywords if k.arg == "axis"), None)
        if axis is None and len(node.args) == 3:
            axis = node.args[2]
        if _is_number(axis, 1) and len(node.args) >= 2:
            array, count = map(scope.source, node.args[:2])
            new = f"mx.tile({array}, [1, {count}, 1, 1])"
            yield "other-grouping-of-heads", node, new


def clamp(node, scope):
    if scope.is_call and isinstance(node, ast.Call) and node.args:
        if name_of(node.func) in ("clip", "minimum", "maximum"):
            yield "dropped-clamp", node, f"({scope.source(node.args[0])})"


def masks(node, scope):
    if isinstance(node, ast.Call) and len(node.args) > 1:
        if name_of(node.func) in ("create_attention_mask", "create_ssm_mask"):
            yield "padding-ignored", node.args[1], "None"
    if isinstance(node, ast.IfExp):
        body, other = node.body, node.orelse
        if all(isinstance(n, ast.Name) and "mask" in n.id for n in (body, other)):
            test = scope.source(node.test)
            yield "swapped-masks", node, f"{other.id} if {test} else {body.id}"


def kinds(node, scope):
    if isinstance(node, ast.Compare) and isinstance(node.ops[0], ast.Eq):
        right = node.comparators[0]
        if isinstance(right, ast.Constant) and isinstance(right.value, str):
            left = scope.source(node.left)
            yield "swapped-layer-kinds", node, f"{left} != {scope.source(right)}"


def head(node, scope):
    if isinstance(node, (ast.If, ast.IfExp)):
        test = scope.source(node.test)
        if test.endswith("tie_word_embeddings"):
            yield "wrong-tie", node.test, f"not ({test})"


def dtype(node, scope):
    if scope.is_call and scope.attends and isinstance(node, ast.Return) and node.value:
        value = node.value
        if not isinstance(value, ast.Tuple):
            yield "float32-leak", value, f"({scope.source(value)}).astype(mx.float32)"


def sanitize(node, scope):
    if not scope.is_sanitize:
        return
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
        if node.func.attr in ("transpose", "swapaxes", "moveaxis"):
            receiver = node.func.value
            whole = isinstance(receiver, ast.Name) and receiver.id == "mx"
            kept = node.args[0] if whole else receiver
            yield "sanitize-without-transpose", node, scope.source(kept)
    if isinstance(node, ast.Return) and node.value:
        value = scope.source(node.value)
        twice = f"{{k: v * 2 if v.ndim == 1 else v for k, v in ({value}).items()}}"
        yield "sanitize-works-twice", node.value, twice
        less = f"dict(sorted(({value}).items())[1:])"
        yield "sanitize-drops-a-tensor", node.value, less


PATTERNS = [
    keywords,
    rotary_dims,
    rope_dropped,
    norm_offset,
    norm_dropped,
    rounded_between,
    gate_and_up,
    activation,
    softcap,
    factor,
    branch,
    router,
    order_of_softmax,
    conversions,
    cache,
    repetition,
    clamp,
    masks,
    kinds,
    head,
    dtype,
    sanitize,
    *planting_positions.PATTERNS,
    *planting_experts.PATTERNS,
    *planting_states.PATTERNS,
]

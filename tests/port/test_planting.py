"""Bugs are planted by what code does, one edit a function, and stay Python."""

import pytest

PORT = """
class Block(nn.Module):
    def __init__(self, args):
        self.factor = args.factor
        self.norm = nn.RMSNorm(8, eps=args.eps)
        self.rope = initialize_rope(8, base=args.theta, traditional=False)

    def __call__(self, x, mask=None, cache=None):
        q = self.rope(x, offset=cache.offset)
        y = mx.tanh(q / 30.0) * 30.0
        return x + self.mlp(self.norm(y)) * self.factor

class Router(nn.Module):
    def __call__(self, x):
        scores = mx.softmax(x, axis=-1)
        inds = mx.argpartition(-scores, kth=1, axis=-1)
        return inds
"""

EDITS = {
    "wrong-rope-base": ("base=args.theta", "base=(args.theta) * 1.1"),
    "wrong-rope-pairing": ("traditional=False", "traditional=not (False)"),
    "wrong-eps": ("eps=args.eps", "eps=(args.eps) * 10"),
    "lost-cache-offset": ("offset=cache.offset", "offset=0"),
    "dropped-rope": ("self.rope(x, offset=cache.offset)", "(x)"),
    "dropped-softcap": ("mx.tanh(q / 30.0)", "(q / 30.0)"),
    "dropped-norm-norm": ("self.norm(y)", "(y)"),
    "dropped-factor": (
        "self.mlp(self.norm(y)) * self.factor",
        "(self.mlp(self.norm(y)))",
    ),
    "sigmoid-for-softmax": ("mx.softmax(x, axis=-1)", "mx.sigmoid(x)"),
    "worst-experts-chosen": ("argpartition(-scores", "argpartition(scores"),
}


@pytest.mark.parametrize("name", EDITS)
def test_edit(name, root, monkeypatch):
    monkeypatch.syspath_prepend(root / "python")
    from portwright.workers import planting

    (bug,) = [b for b in planting.bugs(PORT) if b.name == name]
    old, new = EDITS[name]
    assert planting.planted(PORT, bug) == PORT.replace(old, new)


# id: (the port's text, the bug, edits that make it)
STYLES = {
    "the-gate-in-a-statement-of-its-own": (
        """
class MLP(nn.Module):
    def __call__(self, x):
        gate = ACTIVATIONS[self.act](self.gate_proj(x))
        return self.down_proj(gate * self.up_proj(x))
""",
        "swapped-gate-and-up",
        [
            ("(self.gate_proj(x))", "(self.up_proj(x))"),
            ("gate * self.up", "gate * self.gate"),
        ],
    ),
    "gate-and-up-as-halves": (
        """
class MLP(nn.Module):
    def __call__(self, x):
        gate, up = mx.split(self.gate_up_proj(x), 2, axis=-1)
        return self.down_proj(nn.silu(gate) * up)
""",
        "swapped-gate-and-up",
        [("gate, up = ", "up, gate = ")],
    ),
    "an-activation-of-a-table": (
        """
class MLP(nn.Module):
    def __call__(self, x):
        return self.down_proj(ACTIVATIONS[self.act](x))
""",
        "other-activation",
        [
            (
                "ACTIVATIONS[self.act]",
                "(nn.gelu_approx if ACTIVATIONS[self.act] is nn.gelu else nn.gelu)",
            )
        ],
    ),
    "a-rope-for-each-kind": (
        """
class Attention(nn.Module):
    def __init__(self, args, layer_idx):
        self.rope = create_rope(8, base=args.bases[args.layer_types[layer_idx]])
""",
        "one-rope-for-all-kinds",
        [("args.layer_types[layer_idx]", "args.layer_types[0]")],
    ),
    "a-rope-of-one-of-two-bases": (
        """
class Attention(nn.Module):
    def __init__(self, args, layer_idx):
        self.rope = initialize_rope(8, base=args.near if self.slides else args.far)
""",
        "one-rope-for-all-kinds",
        [("args.near if self.slides else args.far", "args.near")],
    ),
    "layers-without-a-rope": (
        """
class Attention(nn.Module):
    def __init__(self, args, layer_idx):
        self.use_rope = args.rotated[layer_idx]
        if args.rotated[layer_idx]:
            self.rope = create_rope(8, base=args.rope_theta)
""",
        "rope-in-every-layer",
        [("args.rotated[layer_idx]", "True")],
    ),
    "nested-rope-parameters": (
        """
class ModelArgs(BaseModelArgs):
    def __post_init__(self):
        rope = self.rope_scaling or self.rope_parameters or {}
        self.rope_theta = rope.get("rope_theta", self.rope_theta)
""",
        "rope-parameters-not-read",
        [
            (
                "self.rope_scaling or self.rope_parameters or {}",
                "(self.rope_scaling or {})",
            )
        ],
    ),
    "a-base-of-nested-parameters": (
        """
class ModelArgs(BaseModelArgs):
    def __post_init__(self):
        self.rope_theta = rope.get("rope_theta", self.rope_theta)
""",
        "hard-coded-rope-base",
        [('rope.get("rope_theta", self.rope_theta)', "10000.0")],
    ),
    "positions-that-are-looked-up": (
        """
class GPT(nn.Module):
    def __call__(self, x, cache=None):
        offset = cache[0].offset if cache[0] is not None else 0
        return x + self.wpe(offset + mx.arange(x.shape[1]))
""",
        "lost-cache-offset",
        [("cache[0].offset if", "0 if")],
    ),
    "a-rope-that-grows": (
        """
class DynamicRoPE(nn.Module):
    def __call__(self, x, offset=0):
        return mx.max(mx.array(offset)) + x.shape[-2]
""",
        "length-of-the-wrong-axis",
        [("x.shape[-2]", "x.shape[-3]")],
    ),
    "a-mask-for-each-kind": (
        """
class Model(nn.Module):
    def __call__(self, h, cache=None):
        masks[kind] = create_attention_mask(h, c)
        return layer(h, masks[kind], c)
""",
        "one-mask-for-all-kinds",
        [
            (
                "(h, masks[kind], c)",
                "(h, (list(masks.values()) if isinstance(masks, dict) else masks)[0], c)",
            )
        ],
    ),
    "a-mask-of-booleans": (
        """
class Attention(nn.Module):
    def __call__(self, x, mask=None):
        return mx.where(mask, scores, mx.finfo(scores.dtype).min)
""",
        "added-mask",
        [
            (
                "mx.where(mask, scores, mx.finfo(scores.dtype).min)",
                "(scores + (mask).astype(scores.dtype))",
            )
        ],
    ),
    "padding-in-a-convolution": (
        """
class Mixer(nn.Module):
    def _convolve(self, x, mask):
        return mx.where(mask[..., None], x, 0)
""",
        "ignored-state-mask",
        [("mx.where(mask[..., None], x, 0)", "x")],
    ),
    "clamps-of-a-state-update": (
        """
class Mixer(nn.Module):
    def __call__(self, x, mask=None, cache=None):
        return ssm_update(x, a, b, c, d, dt, bias, state, self.time_step_limit, mask)
""",
        "dropped-clamp-of-time-steps",
        [("self.time_step_limit", "(0.0, float('inf'))")],
    ),
    "a-state-in-float32": (
        """
class Mixer(nn.Module):
    def _convolve(self, x, cache):
        cache[0] = x[:, -3:]
""",
        "float32-state",
        [("x[:, -3:]", "(x[:, -3:]).astype(mx.float32)")],
    ),
    "a-cache-of-chunks": (
        """
class Model(nn.Module):
    def make_cache(self):
        return [ChunkedKVCache(self.args.chunk)]
""",
        "short-chunked-cache",
        [("(self.args.chunk)", "((self.args.chunk) - 1)")],
    ),
    "a-norm-that-is-a-function": (
        """
class Attention(nn.Module):
    def __call__(self, x):
        return mx.fast.rms_norm(x, None, self.eps)
""",
        "dropped-rms_norm",
        [("mx.fast.rms_norm(x, None, self.eps)", "(x)")],
    ),
    "a-norm-over-groups": (
        """
class GatedNorm(nn.Module):
    def __call__(self, x):
        return mx.fast.rms_norm(x.reshape(B, L, -1), None, self.eps)
""",
        "norm-over-all-groups",
        [
            (
                "mx.fast.rms_norm(x.reshape(B, L, -1), None, self.eps)",
                "(lambda v: mx.fast.rms_norm(v.flatten(-2), None, self.eps)"
                ".reshape(v.shape))(x.reshape(B, L, -1))",
            )
        ],
    ),
    "a-bias-of-experts": (
        """
class Router(nn.Module):
    def __call__(self, x):
        scores = mx.sigmoid(x)
        return mx.argpartition(-(scores + self.bias), kth=1, axis=-1)
""",
        "dropped-expert-bias",
        [("scores + self.bias", "scores")],
    ),
    "groups-of-experts": (
        """
def select(scores, group_idx):
    inds = mx.argpartition(-scores, kth=1, axis=-1)
    return mx.put_along_axis(scores, group_idx, mx.array(0.0), axis=-2)
""",
        "ignored-groups",
        [("mx.put_along_axis(scores, group_idx, mx.array(0.0), axis=-2)", "scores")],
    ),
    "experts-that-compute-nothing": (
        """
class MoE(nn.Module):
    def __call__(self, x):
        return mx.where(identity[..., None], x[..., None, :], y)
""",
        "dropped-where",
        [("mx.where(identity[..., None], x[..., None, :], y)", "y")],
    ),
    "a-factor-in-place": (
        """
class Model(nn.Module):
    def __call__(self, h):
        h *= self.args.embedding_multiplier
        return h
""",
        "dropped-embedding_multiplier",
        [("h *= self.args.embedding_multiplier", "pass")],
    ),
}


@pytest.mark.parametrize("text, name, edits", STYLES.values(), ids=STYLES)
def test_styles_of_ports(text, name, edits, root, monkeypatch):
    monkeypatch.syspath_prepend(root / "python")
    from portwright.workers import planting

    (bug,) = [b for b in planting.bugs(text) if b.name == name]
    wanted = text
    for old, new in edits:
        assert old in wanted
        wanted = wanted.replace(old, new)
    assert planting.planted(text, bug) == wanted


def test_experts_of_the_library_read_the_other_weights(root, monkeypatch):
    """By their own names, so that a checkpoint loads as before."""
    monkeypatch.syspath_prepend(root / "python")
    import mlx.core as mx
    from mlx_lm.models.switch_layers import SwitchGLU  # noqa: F401
    from portwright.workers import planting

    text = """
class MoE:
    def __init__(self):
        self.switch_mlp = SwitchGLU(8, 4, 3)
"""
    (bug,) = [b for b in planting.bugs(text) if b.name == "swapped-gate-and-up"]
    made = {}
    for name, source in (("sound", text), ("wrong", planting.planted(text, bug))):
        scope = {"SwitchGLU": SwitchGLU}
        exec(source, scope)
        made[name] = scope["MoE"]().switch_mlp
    made["wrong"].update(made["sound"].parameters())
    x, inds = mx.random.normal((1, 8)), mx.array([[0, 2]])
    wrong = made["wrong"](x, inds)
    assert not mx.allclose(made["sound"](x, inds), wrong)
    parts = made["sound"].parameters()
    parts["gate_proj"], parts["up_proj"] = parts["up_proj"], parts["gate_proj"]
    made["sound"].update(parts)
    assert mx.allclose(made["sound"](x, inds), wrong)

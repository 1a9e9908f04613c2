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

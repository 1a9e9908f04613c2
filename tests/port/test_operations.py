"""Torch's less common functions in a module that nothing is recognised in: each is
written as MLX has it, and proven in process."""

import pytest

MODULE = """
class Rare(nn.Module):
    def __init__(self, c):
        super().__init__()
        self.scale = nn.Parameter(torch.ones(c.n_embd))
        self.group = nn.GroupNorm(4, c.n_embd)
        self.slope = nn.Parameter(torch.full((1,), 0.25))

    def forward(self, x):
        x = torch.tanh(x)
        {body}


"""

BODIES = {
    "sort": "return self.scale * torch.sort(x, dim=-1, descending=True).values",
    "sort_both": "y, i = x.sort(-1); return self.scale * y + 0.01 * i",
    "cummax": "return self.scale * torch.cummax(x, -1).values",
    "logcumsumexp": "return self.scale * torch.logcumsumexp(x, dim=-1)",
    "unfold": "return self.scale * F.pad(x, (2, 0)).unfold(-1, 3, 1).mean(-1)",
    "unfold_steps": "y = x.unfold(2, 4, 4).sum(-1); return self.scale * y.repeat(1, 1, 4)",
    "unbind": "(y,) = x.unsqueeze(-2).unbind(-2); return self.scale * y",
    "group_norm": "return self.group(x.flatten(0, 1)).view(x.shape) * self.scale",
    "attention": (
        "y = torch.stack([x, self.scale * x, x * x], 2).unsqueeze(2); "
        "q = (self.scale * x)[:, :, None, None]; "
        "b, s = x.shape[:2]; "
        "y = F.scaled_dot_product_attention(*(t.flatten(0, 1) for t in (q, y, y))); "
        "return y.view(b, s, -1)"
    ),
    "cosine_similarity": (
        "return self.scale * F.cosine_similarity(x, x * x, dim=-1).unsqueeze(-1)"
    ),
    "tensordot": "return x * torch.tensordot(x, self.scale[:, None], dims=1)",
    "tensordot_axes": (
        "return x * torch.tensordot(x, self.scale[None], dims=([2], [1]))"
    ),
    "nan_to_num": "return self.scale * torch.nan_to_num(x / (x > 0), 0.0, 1.0, -1.0)",
    "isfinite": "return self.scale * torch.isfinite(x).to(x.dtype)",
    "count_nonzero": (
        "return self.scale * torch.count_nonzero(x > 0, -1).unsqueeze(-1) / 48"
    ),
    "bucketize": (
        "edges = torch.arange(-2, 3, device=x.device) * 0.5; "
        "return self.scale * torch.bucketize(x, edges)"
    ),
    "prelu": "return self.scale * F.prelu(x, self.slope)",
    "celu": "return self.scale * F.celu(x, 0.7)",
    "softsign": "return self.scale * F.softsign(x)",
    "hardsigmoid": "return self.scale * F.hardsigmoid(x)",
    "tanhshrink": "return self.scale * F.tanhshrink(x)",
    "threshold": "return self.scale * F.threshold(x, 0.1, -0.2)",
    "exp2": "return self.scale * torch.exp2(x)",
    "atan2": "return self.scale * torch.atan2(x, x * x + 1)",
    "asinh": "return self.scale * torch.asinh(x)",
    "trunc": "return self.scale * torch.trunc(3 * x)",
    "erfc": "return torch.erfc(x) * self.scale",
    "logical_xor": "return self.scale * torch.logical_xor(x > 0, x > 0.5).float()",
    "broadcast": ("a, b = torch.broadcast_tensors(x, self.scale); return a * b"),
    "hstack": "return torch.hstack([x, self.scale * x])[:, -x.shape[1] :]",
}


@pytest.mark.parametrize("name", BODIES)
def test_it_is_written_as_mlx_has_it(name, style, emitted_from):
    folder = style("one_block")
    file = folder / "modeling_once.py"
    source = file.read_text()
    for old, new in [
        (
            "from torch import nn\n",
            "import torch\nimport torch.nn.functional as F\nfrom torch import nn\n",
        ),
        ("class OnceBody", MODULE.format(body=BODIES[name]) + "class OnceBody"),
        ("        self.block =", "        self.rare = Rare(c)\n        self.block ="),
        ("x, *args, turn)\n", "x, *args, turn)\n            x = x + self.rare(x)\n"),
    ]:
        assert old in source
        source = source.replace(old, new)
    file.write_text(source)
    assert "self.rare(" in emitted_from(folder)

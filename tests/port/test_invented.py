"""Architectures that nobody has released, each a change to one fixture's body."""

import json

import pytest

from .conftest import answer


@pytest.fixture
def invented(style):
    """The folder of "skips" with another body, in terms of `pieces`."""

    def put_together(body, **fields):
        folder = style("skips")
        (folder / "modeling_skips.py").write_text(
            "import torch\nimport torch.nn.functional as F\nfrom torch import nn\n\n"
            "from .configuration_skips import SkipsConfig\n"
            "from .decoding import DecodingModel\n"
            "from .pieces import *\n"
            + body
            + "\n\nclass SkipsForCausalLM(DecodingModel):\n"
            "    config_class = SkipsConfig\n"
            "    body_class = OwnBody\n"
        )
        config = folder / "config.json"
        config.write_text(json.dumps(json.loads(config.read_text()) | fields))
        own = folder / "configuration_skips.py"
        for name in set(fields) - {"n_layer", "num_hidden_layers"}:
            own.write_text(
                own.read_text()
                .replace(
                    "        **kwargs,\n", f"        {name}=None,\n        **kwargs,\n"
                )
                .replace(
                    "        super()", f"        self.{name} = {name}\n        super()"
                )
            )
        return folder

    return put_together


def test_layers_after_the_last_one_that_runs_are_left_out(invented, emitted_from):
    text = emitted_from(
        invented(
            """
class OwnBody(Body):
    def __init__(self, c):
        super().__init__(c)
        self.blocks = nn.ModuleList([Block(c, n) for n in range(c.n_layer + c.n_more)])

    def run(self, x, *args):
        for block in self.blocks[: self.c.n_layer]:
            x = block(x, *args)
        return x
""",
            n_layer=4,
            num_hidden_layers=5,
            n_more=2,
        )
    )
    assert "for i in range(args.n_layer)]" in text
    text = " ".join(text.split())
    assert 'int(k.split(".")[2]) < self.args.n_layer' in text


def test_lists_that_are_numbered_on_are_counted_each(invented, emitted_from):
    text = emitted_from(
        invented(
            """
class OwnBody(Body):
    def __init__(self, c):
        super().__init__(c)
        del self.blocks
        blocks = lambda n, first: nn.ModuleList([Block(c, first + i) for i in range(n)])
        self.first, self.last = blocks(c.n_first, 0), blocks(c.n_last, c.n_first)

    def run(self, x, *args):
        for block in self.first:
            x = block(x, *args)
        x = self.norm(x)
        for block in self.last:
            x = block(x, *args)
        return x
""",
            n_first=2,
            n_last=4,
        )
    )
    assert "for i in range(args.n_first)]" in text
    assert "for i in range(args.n_last)]" in text


def test_a_residual_that_a_function_adds_is_of_no_matter(invented, emitted_from):
    emitted_from(
        invented(
            """
def added(x, residual):
    return x + residual


class OwnMLP(MLP):
    def forward(self, x, residual):
        return added(super().forward(x), residual)


class OwnBlock(Block):
    def __init__(self, c, i):
        super().__init__(c, i)
        self.mlp = OwnMLP(c)

    def forward(self, x, *args):
        residual = x
        x = residual + self.attn(self.n1(x), *args)
        residual = x
        return self.mlp(self.n2(x), residual)


class OwnBody(Body):
    block_class = OwnBlock
"""
        )
    )


INNER = """class Inner(PretrainedConfig):
    def __init__(self, clip=1.0, **kwargs):
        super().__init__(**kwargs)
        self.clip = clip


"""


def test_a_field_of_a_config_inside_is_an_attribute(invented, emitted_from):
    folder = invented(
        """
class OwnMLP(MLP):
    def __init__(self, c):
        super().__init__(c)
        self.c = c

    def forward(self, x):
        return super().forward(x.clamp(-self.c.inner.clip, self.c.inner.clip))


class OwnBlock(Block):
    def __init__(self, c, i):
        super().__init__(c, i)
        self.mlp = OwnMLP(c)


class OwnBody(Body):
    block_class = OwnBlock
""",
        inner={"clip": 0.7},
    )
    own = folder / "configuration_skips.py"
    own.write_text(
        own.read_text()
        .replace("= inner\n", "= Inner(**(inner or {}))\n")
        .replace("class SkipsConfig", INNER + "class SkipsConfig")
    )
    assert "self.clip = args.inner.clip" in emitted_from(folder)


# Means over blocks of keys, whatever of them is padding.
COARSE = """
class OwnAttention(Attention):
    def forward(self, x, pos, mask, cache):
        b, t, d = x.shape
        q, k, v = (
            y.view(b, t, self.heads, self.hd).transpose(1, 2)
            for y in self.qkv(x).chunk(3, -1)
        )
        q, k = rope(q, pos), rope(k, pos)
        if cache is not None:
            k, v = cache.update(k, v, self.i)
        n = k.shape[2] // 4
        at = torch.arange(k.shape[2] - t, k.shape[2], device=x.device)[:, None]
        late = torch.arange(n, device=x.device)[None] * 4 + 3 > at
        low = torch.finfo(x.dtype).min
        means = [z[:, :, : n * 4].unflatten(2, (n, 4)).mean(3) for z in (k, v)]
        w = (q @ means[0].mT).masked_fill(late, low).softmax(-1).masked_fill(late, 0)
        y = F.scaled_dot_product_attention(q, k, v, attn_mask=mask) + w @ means[1]
        return self.o(y.transpose(1, 2).reshape(b, t, d))


class OwnBlock(Block):
    attention_class = OwnAttention


class OwnBody(Body):
    block_class = OwnBlock
"""


def test_a_source_that_reads_padding_is_refused(invented, portwright, tmp_path):
    folder = invented(COARSE)
    done = portwright("compile", folder, "-o", tmp_path / "port.py", "--fast", "--json")
    assert done.returncode == 3, done.stderr
    (hole,) = answer(done)["holes"]
    assert hole["message"] == "'transformer.blocks.0.attn' reads what padding holds"


SUNK = """
class OwnAttention(Attention):
    def __init__(self, c, i):
        super().__init__(c, i)
        self.sunk = nn.Parameter(torch.randn(2, 1, self.heads, c.n_sunk, self.hd))

    def forward(self, x, pos, mask, cache):
        b, t, d = x.shape
        q, k, v = (
            y.view(b, t, self.heads, self.hd).transpose(1, 2)
            for y in self.qkv(x).chunk(3, -1)
        )
        q, k = rope(q, pos), rope(k, pos)
        if cache is not None:
            k, v = cache.update(k, v, self.i)
        k, v = (
            torch.cat([own.expand(b, -1, -1, -1), z], 2)
            for own, z in zip(self.sunk, (k, v))
        )
        low = torch.finfo(x.dtype).min
        mask = torch.zeros_like(mask, dtype=x.dtype).masked_fill(~mask, low)
        mask = F.pad(mask, (self.sunk.shape[3], 0))
        w = q @ k.mT / self.hd**0.5 + mask
        y = w.softmax(-1) @ v
        return self.o(y.transpose(1, 2).reshape(b, t, d))


class OwnBlock(Block):
    attention_class = OwnAttention


class OwnBody(Body):
    block_class = OwnBlock
"""


def test_keys_of_the_model_s_own_are_shown_to_all(invented, emitted_from):
    text = emitted_from(invented(SUNK, n_sunk=3))
    assert "shown = mx.pad(mask, pads, constant_values=True)" in text


# Scores (B, L, H, S), to which masks are turned.
TURNED = """
class OwnAttention(Attention):
    def forward(self, x, pos, mask, cache):
        b, t, d = x.shape
        q, k, v = (
            y.view(b, t, self.heads, self.hd).transpose(1, 2)
            for y in self.qkv(x).chunk(3, -1)
        )
        q, k = rope(q, pos), rope(k, pos)
        if cache is not None:
            k, v = cache.update(k, v, self.i)
        w = torch.einsum("bhqd,bhkd->bqhk", q, k) / self.hd**0.5
        TURN
        y = torch.einsum("bqhk,bhkd->bqhd", w.softmax(-1), v)
        return self.o(y.reshape(b, t, d))


class OwnBlock(Block):
    attention_class = OwnAttention


class OwnBody(Body):
    block_class = OwnBlock
"""


@pytest.mark.parametrize(
    "turn",
    [
        "low = torch.finfo(x.dtype).min\n"
        "        mask = torch.zeros_like(mask, dtype=x.dtype).masked_fill(~mask, low)\n"
        "        w = w + mask.transpose(1, 2)",
        "low = torch.finfo(x.dtype).min\n"
        "        w = w.masked_fill(~mask.permute(0, 2, 1, 3), low)",
    ],
    ids=["added", "filled"],
)
def test_a_mask_is_turned_as_the_scores_are(turn, invented, emitted_from):
    text = emitted_from(invented(TURNED.replace("TURN", turn)))
    assert "mask.reshape(-1, 1, *mask.shape[-2:])" in " ".join(text.split())


# A table that no field of the config bounds.
ENDING = """
class OwnBody(Body):
    def __init__(self, c):
        super().__init__(c)
        angles = torch.arange(48.0)[:, None] * torch.arange(1.0, 1 + c.n_embd) / 100
        self.register_buffer("turns", angles.cos(), persistent=False)

    def run(self, x, pos, *args):
        x = x * self.turns[pos]
        for block in self.blocks:
            x = block(x, pos, *args)
        return x
"""


def test_far_positions_end_where_the_source_does(invented, proven_with_own_code):
    out = proven_with_own_code(invented(ENDING))
    checks = json.loads((out / "results.json").read_text())["checks"]
    (far,) = [c for c in checks if c["name"] == "rope_far"]
    assert far["status"] == "pass"
    assert far["reason"].startswith("torch itself takes 48 tokens at most: index")


CUT = """
class OwnAttention(Attention):
    def forward(self, x, pos, mask, cache):
        b, t, d = x.shape
        q, k, v = (
            y.view(b, t, self.heads, self.hd).transpose(1, 2)
            for y in self.qkv(x).chunk(3, -1)
        )
        q, k = rope(q, pos), rope(k, pos)
        if cache is not None:
            k, v = cache.update(k, v, self.i)
        mask = mask[CUT]
        y = F.scaled_dot_product_attention(q, k, v, attn_mask=mask)
        return self.o(y.transpose(1, 2).reshape(b, t, d))


class OwnBlock(Block):
    attention_class = OwnAttention


class OwnBody(Body):
    block_class = OwnBlock
"""


@pytest.mark.parametrize("cut", ["...", "..., : k.shape[2]"])
def test_a_window_that_the_source_does_not_know_is_none(
    cut, invented, proven_with_own_code
):
    # The library's cache would take it from the config.
    out = proven_with_own_code(invented(CUT.replace("CUT", cut), sliding_window=6))
    (port,) = out.glob("*.py")
    assert "window" not in port.read_text()


# A bias for each distance, which the model makes for all of its layers.
TABLED = """
class OwnAttention(Attention):
    def forward(self, x, pos, mask, cache):
        b, t, d = x.shape
        q, k, v = (
            y.view(b, t, self.heads, self.hd).transpose(1, 2)
            for y in self.qkv(x).chunk(3, -1)
        )
        if cache is not None:
            k, v = cache.update(k, v, self.i)
        w = (q @ k.mT * self.hd**-0.5 + mask).softmax(-1)
        return self.o((w @ v).transpose(1, 2).reshape(b, t, d))


class OwnBlock(Block):
    attention_class = OwnAttention


class Distances(nn.Module):
    def __init__(self, c):
        super().__init__()
        self.table = nn.Embedding(c.n_places, c.n_head)
        self.places = c.n_places

    def forward(self, past, total):
        back = torch.arange(past, total)[:, None] - torch.arange(total)
        back = back.clamp(min=0)
        large = (4 * torch.log2(1 + back)).long()
        back = torch.where(back < 4, back, large.clamp(max=self.places - 1))
        return self.table(back).permute(2, 0, 1)[None]


class OwnBody(Body):
    block_class = OwnBlock

    def __init__(self, c):
        super().__init__(c)
        MADE

    def forward(self, ids, attention_mask=None, position_ids=None, cache=None):
        b, t = ids.shape
        past = cache.get_seq_length() if cache is not None else 0
        total = past + t
        x = self.wte(ids)
        mask = build_mask(attention_mask, b, t, past, x.dtype, x.device)
        mask = torch.zeros_like(mask, dtype=x.dtype).masked_fill(
            ~mask, torch.finfo(x.dtype).min
        )
        bias = READ
        for block in self.blocks:
            x = block(x, None, bias + mask, cache)
        return self.norm(x)
"""


@pytest.mark.parametrize(
    "made, read, handed",
    [
        (
            "self.near = Distances(c)",
            "self.near(past, total)",
            'layer(h, self.near["table"]["weight"], mask, c)',
        ),
        (
            "self.fall = nn.Parameter(torch.rand(c.n_head, 1, 1))",
            "-self.fall * torch.log1p((torch.arange(past, total)[:, None]"
            " - torch.arange(total)).clamp(min=0).to(x.dtype))",
            "layer(h, self.fall, mask, c)",
        ),
    ],
    ids=["table", "slopes"],
)
def test_what_makes_a_bias_is_handed_to_the_layers(
    made, read, handed, invented, emitted_from
):
    body = TABLED.replace("MADE", made).replace("READ", read)
    text = emitted_from(invented(body, n_places=12))
    assert handed in text
    assert "mx.arange(keys.shape[2])" in text


# What goes before each token goes into its queries and keys.
SHIFTED = """
from .decoding import DynamicCache


class ShiftCache(DynamicCache):
    def __init__(self):
        super().__init__()
        self.last = {}

    def shift(self, x, i):
        before = self.last.get(i)
        if before is None:
            before = torch.zeros_like(x[:, :1])
        self.last[i] = x[:, -1:]
        return torch.cat([before, x[:, :-1]], dim=1)


class OwnAttention(Attention):
    def __init__(self, c, i):
        super().__init__(c, i)
        self.share = nn.Parameter(torch.rand(c.n_embd))

    def forward(self, x, pos, mask, cache):
        before = F.pad(x, (0, 0, 1, -1)) if cache is None else cache.shift(x, self.i)
        return super().forward(x + self.share * (before - x), pos, mask, cache)


class OwnBlock(Block):
    attention_class = OwnAttention


class OwnBody(Body):
    block_class = OwnBlock
"""


def test_what_attends_keeps_states_beside_its_keys(invented, emitted_from):
    folder = invented(SHIFTED)
    own = folder / "modeling_skips.py"
    own.write_text(own.read_text() + "    cache_class = ShiftCache\n")
    text = emitted_from(folder)
    assert "state = state_cache[0] if state_cache is not None else None" in text
    assert "keys, values = cache.update_and_fetch(keys, values)" in text


WINDOWED = """
class OwnBody(Body):
    def forward(self, ids, attention_mask=None, position_ids=None, cache=None):
        b, t = ids.shape
        past = cache.get_seq_length() if cache is not None else 0
        pos = position_ids
        if pos is None:
            pos = positions_of(attention_mask, past, t, ids.device)
        x = self.wte(ids)
        mask = build_mask(attention_mask, b, t, past, x.dtype, x.device)
        far = FAR
        for i, block in enumerate(self.blocks):
            x = block(x, pos, mask & ~far if i % 2 else mask, cache)
        return self.norm(x)
"""


@pytest.mark.parametrize(
    "far, size",
    [
        (
            "torch.ones(t, past + t, dtype=torch.bool).tril(past - self.c.reach)",
            "self.args.reach",
        ),
        ("torch.arange(past + t) <= torch.arange(past, past + t)[:, None] - 7", "7"),
    ],
    ids=["diagonal", "literal"],
)
def test_a_window_is_told_from_what_the_mask_is_made_of(
    far, size, invented, emitted_from
):
    text = emitted_from(invented(WINDOWED.replace("FAR", far), reach=7))
    assert f"RotatingKVCache(max_size={size})" in text


def test_parts_of_what_is_taken_apart_are_read_by_number(invented, emitted_from):
    text = emitted_from(
        invented(
            """
class OwnBlock(Block):
    def __init__(self, c, i):
        super().__init__(c, i)
        self.own = nn.Linear(c.n_own, c.n_embd)

    def forward(self, x, own, *args):
        return super().forward(x + self.own(own), *args)


class OwnBody(Body):
    block_class = OwnBlock

    def __init__(self, c):
        super().__init__(c)
        self.all = nn.Embedding(c.vocab_size, c.n_layer * c.n_own)

    def forward(self, ids, *args, **kwargs):
        own = self.all(ids).unflatten(-1, (self.c.n_layer, self.c.n_own))
        self.own = own.unbind(2)
        return super().forward(ids, *args, **kwargs)

    def run(self, x, *args):
        for block, own in zip(self.blocks, self.own):
            x = block(x, own, *args)
        return x
""",
            n_own=10,
        )
    )
    assert "h = layer(h, own[:, :, i], mask, c)" in text


def test_a_cache_of_as_many_layers_as_the_config_counts_may_be_too_small(
    invented, proven_with_own_code
):
    proven_with_own_code(
        invented(
            """
class OwnBody(Body):
    def run(self, x, pos, mask, cache):
        for turn in range(self.c.turns):
            for i, block in enumerate(self.blocks):
                x = block(x, pos, mask, cache, turn * self.c.n_layer + i)
        return x
""",
            n_layer=3,
            num_hidden_layers=3,
            turns=2,
        )
    )

"""How positions rotate queries and keys."""

import ast
import copy

from ..architecture import NotHere, change, method, must
from ..patterns import find, statements
from .attention import ROTATED, _each, enumerated
from .registry import semantic
from .residuals import layer_index


def _rotary(arch):
    for cls in arch.classes():
        if method(cls, "compute_default_rope_parameters"):
            return cls
    raise NotHere("no rotary embedding")


def _halves(arch):
    """The function that rotates halves, if it is what its name says."""
    function = arch.function("rotate_half")
    must(function and find(function, "torch.cat((-x2, x1), dim=-1)"), "no halves")
    must(find(function, "x1 = x[..., :x.shape[-1] // 2]"), "no halves")
    return function


@semantic
def nope_layers(arch, dice):
    """Every nth layer does not rotate."""
    every = dice.choice([2, 3])
    how = dice.random() < 0.5
    period = arch.add_field("nope_interval", every) if how else str(every)

    def edit(cls):
        forward = method(cls, "forward")
        must(find(forward, ROTATED), "no rotation")
        must(find(cls, "self.layer_idx = layer_idx"), "no index")
        owner = "self." + period if how else period
        change(
            forward, ROTATED, f"if (self.layer_idx + 1) % {owner} != 0:\n    {ROTATED}"
        )

    _each(arch, edit)


@semantic
def rope_interleaved(arch, dice):
    """Neighbours are pairs, not halves."""
    function = _halves(arch)
    rotary = _rotary(arch)
    change(
        rotary,
        "torch.cat((freqs, freqs), dim=-1)",
        "torch.repeat_interleave(freqs, 2, dim=-1)",
    )
    function.body = statements(
        "x1 = x[..., 0::2]\nx2 = x[..., 1::2]\n"
        "return torch.stack((-x2, x1), dim=-1).flatten(-2)"
    )


@semantic
def rope_direction(arch, dice):
    """Rotates the other way round."""
    change(
        _halves(arch), "torch.cat((-x2, x1), dim=-1)", "torch.cat((x2, -x1), dim=-1)"
    )


@semantic
def rope_partial(arch, dice):
    """Only the first half of a head is rotated."""
    function = arch.function("apply_rotary_pos_emb")
    must(function, "no rotation")
    must(not find(function, "__x[..., rotary_dim:]"), "is partial")
    must(find(function, "return q_embed, k_embed"), "of another form")
    must(find(function, "(q * cos) + (rotate_half(q) * sin)"), "of another form")
    parameters = method(_rotary(arch), "compute_default_rope_parameters")
    factor = dice.choice([0.5, 0.25])
    must(find(parameters, "attention_factor = 1.0"), "of another form")
    change(
        parameters,
        "attention_factor = 1.0",
        f"attention_factor = 1.0\ndim = int(dim * {factor})",
    )
    for name in "qk":
        change(
            function,
            f"{name}_embed = __a + __b",
            f"{name}, {name}_pass = {name}[..., :cos.shape[-1]], {name}[..., cos.shape[-1]:]\n"
            f"{name}_embed = torch.cat([__a + __b, {name}_pass], dim=-1)",
        )


@semantic
def rope_last(arch, dice):
    """Queries and keys are rotated in their last dimensions reversed."""
    function = arch.function("apply_rotary_pos_emb")
    must(function and find(function, "return q_embed, k_embed"), "of another form")
    must(not find(function, "__x[..., rotary_dim:]"), "is partial")
    function.body[:0] = statements("q, k = q.flip(-1), k.flip(-1)")
    (
        change(
            function,
            "return q_embed, k_embed",
            "return q_embed.flip(-1), k_embed.flip(-1)",
        )
        if dice.random() < 0.5
        else change(function, "return q_embed, k_embed", "return q_embed, k_embed")
    )


@semantic
def rope_spectrum(arch, dice):
    """Other frequencies."""
    parameters = method(_rotary(arch), "compute_default_rope_parameters")
    new = dice.choice(
        [
            "__x ** 1.1",
            "__x / (1.0 + 0.5 * __x)",
            "torch.where(__x < 0.1, __x / 4.0, __x)",
        ]
    )
    line = next((f["__x"] for _, f in find(parameters, "inv_freq = __x")), None)
    must(line, "no frequencies")
    change(
        parameters,
        "inv_freq = __x",
        f"inv_freq = __x\ninv_freq = {new.replace('__x', 'inv_freq')}",
    )


@semantic
def rope_scaled(arch, dice):
    """Cosines and sines are scaled."""
    rotary = _rotary(arch)
    forward = method(rotary, "forward")
    must(find(forward, "emb.cos() * self.attention_scaling"), "of another form")
    factor = dice.choice([0.8, 1.15])
    for name in ("cos", "sin"):
        change(
            forward,
            f"emb.{name}() * self.attention_scaling",
            f"emb.{name}() * (self.attention_scaling * {factor})",
        )


@semantic
def rope_local(arch, dice):
    """Every other layer rotates by another base."""
    rotary = _rotary(arch)
    model = arch.model()
    forward = method(model, "forward")
    made = "position_embeddings = self.__r(__x, **__k)"
    must(find(forward, made), "no rotation made once")
    parameters = method(rotary, "compute_default_rope_parameters")
    must(find(parameters, "base = __x"), "no base")
    loop = next((n for n in ast.walk(forward) if isinstance(n, ast.For)), None)
    must(loop, "no loop")
    local = ast.parse(f"class Local{rotary.name}({rotary.name}):\n    pass").body[0]
    own = copy.deepcopy(parameters)
    change(own, "base = __x", "base = __x / 37.0")
    local.body = [own]
    at = arch.modeling.body.index(rotary)
    arch.modeling.body.insert(at + 1, local)
    name = find(forward, made)[0][1]["__r"]
    change(forward, made, f"{made}\nlocal_embeddings = self.local_{name}(__x, **__k)")
    if isinstance(loop.target, ast.Name) and dice.random() < 0.6:
        layer_index(arch)
        odd = f"{loop.target.id}.layer_idx % 2"
    else:
        odd = f"{enumerated(loop)} % 2"
    used = 0
    for call in [n for n in ast.walk(loop) if isinstance(n, ast.Call)]:
        for key in call.keywords:
            if key.arg == "position_embeddings":
                text = f"position_embeddings if {odd} else local_embeddings"
                key.value = ast.parse(text, mode="eval").body
                used += 1
    must(used, "no rotation given to layers")
    init = method(model, "__init__")
    change(
        init,
        f"self.{name} = __c(**__k)",
        f"self.{name} = __c(**__k)\nself.local_{name} = {local.name}(config)",
    )

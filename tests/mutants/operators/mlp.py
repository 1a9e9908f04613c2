"""What stands between the projections of a dense block."""

from ..architecture import change, extend_init, method, must
from ..patterns import find, rewrite
from .registry import semantic

GATED = "self.act_fn(self.__g(__x)) * self.__u(__x)"
ACTIVATIONS = [
    "nn.functional.gelu(__y)",
    'nn.functional.gelu(__y, approximate="tanh")',
    "nn.functional.relu(__y).pow(2)",
    "torch.sigmoid(__y)",
    "torch.tanh(__y)",
    "nn.functional.softplus(__y)",
    "nn.functional.elu(__y)",
    "nn.functional.leaky_relu(__y, 0.1)",
    "nn.functional.silu(1.702 * __y) / 1.702",
    "nn.functional.hardswish(__y)",
    "nn.functional.mish(__y)",
]


def _gated(arch):
    found = [cls for cls in arch.classes() if find(cls, GATED)]
    return found or arch.absent("no gated block")


@semantic
def gate_activation(arch, dice):
    """Another activation, written in place."""
    new = dice.choice(ACTIVATIONS)
    changed = 0
    for cls in arch.classes():
        forward = method(cls, "forward")
        if forward and find(cls, "self.act_fn = ACT2FN[__x]"):
            changed += rewrite(forward, "self.act_fn(__y)", new)
    must(changed, "no activation of the config")


@semantic
def gate_exchanged(arch, dice):
    """Gate and up exchange their places."""
    for cls in _gated(arch):
        change(cls, GATED, "self.__g(__x) * self.act_fn(self.__u(__x))")


@semantic
def hidden_norm(arch, dice):
    """A norm before the last projection of a dense block."""
    name, _ = arch.norm_like()
    for cls in _gated(arch):
        made = find(cls, "self.__u = nn.Linear(__i, __o, **__k)")
        up = find(cls, GATED)[0][1]["__u"]
        width = next((f["__o"] for _, f in made if f["__u"] == up), None)
        must(width, "no linear projection")
        change(cls, f"{GATED}", f"self.hidden_norm({GATED})")
        extend_init(cls, f"self.hidden_norm = {name}(__w)", __w=width)


@semantic
def gate_clamped(arch, dice):
    """Gate and up are clamped."""
    limit = dice.choice([0.7, 1.2])
    for cls in _gated(arch):
        change(
            cls,
            GATED,
            f"self.act_fn(self.__g(__x).clamp(max={limit})) * self.__u(__x).clamp(min=-{limit}, max={limit})",
        )


@semantic
def up_offset(arch, dice):
    """Up is offset by one."""
    for cls in _gated(arch):
        change(cls, GATED, "self.act_fn(self.__g(__x)) * (self.__u(__x) + 1)")


@semantic
def ungated(arch, dice):
    """No gate at all."""
    for cls in _gated(arch):
        gate = find(cls, GATED)[0][1]["__g"]
        change(cls, GATED, "self.act_fn(self.__u(__x))")
        init = method(cls, "__init__")
        init.body = [n for n in init.body if not find(n, f"self.{gate} = __x")]
        must(not find(method(cls, "forward"), f"self.{gate}"), "gate is used")


@semantic
def gate_multiplied(arch, dice):
    """The block's result is multiplied by a learned vector of its input's width."""
    for cls in _gated(arch):
        made = find(cls, "self.__d(self.act_fn(self.__g(__x)) * self.__u(__x))")
        must(made, "no last projection")
        down = made[0][1]["__d"]
        linear = find(cls, f"self.{down} = nn.Linear(__i, __o, **__k)")
        must(linear, "not linear")
        change(cls, f"self.{down}({GATED})", f"self.{down}({GATED}) * self.scale")
        extend_init(
            cls, "self.scale = nn.Parameter(torch.ones(__o))", __o=linear[0][1]["__o"]
        )

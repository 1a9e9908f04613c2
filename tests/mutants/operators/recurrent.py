"""State updates: decays, step sizes, convolutions and gates."""

from ..architecture import NotHere, change, method, must
from ..patterns import find, rewrite
from .registry import semantic


def _everywhere(arch, changes):
    """One of the pairs (old, new) applied in all classes and functions."""
    for old, new in changes:
        if rewrite(arch.modeling, old, new):
            return
    raise NotHere("no such state")


@semantic
def decay_transform(arch, dice):
    """The decay is of a softplus, not of an exponential."""
    _everywhere(
        arch,
        [
            (
                "A = -torch.exp(self.A_log.float())",
                "A = -nn.functional.softplus(self.A_log.float())",
            ),
            (
                "-self.A_log.float().exp() * __s",
                "-nn.functional.softplus(self.A_log.float()) * __s",
            ),
        ],
    )


@semantic
def decay_floor(arch, dice):
    """Decays are bounded."""
    _everywhere(
        arch,
        [
            (
                "A = -torch.exp(self.A_log.float())",
                "A = -torch.exp(self.A_log.float()).clamp(max=1.5)",
            ),
            (
                "g = -self.A_log.float().exp() * __s",
                "g = torch.clamp(-self.A_log.float().exp() * __s, min=-1.0)",
            ),
        ],
    )


@semantic
def write_strength(arch, dice):
    """States are written by up to twice, and may turn negative."""
    _everywhere(arch, [("beta = b.sigmoid()", "beta = 2.0 * b.sigmoid()")])


@semantic
def state_gate(arch, dice):
    """A recurrent block's gate is a sigmoid, not a silu."""
    for cls in arch.classes():
        forward = method(cls, "forward")
        if forward and len(forward.args.args) == 3 and find(cls, "nn.Parameter(__x)"):
            for old in (
                "F.silu(__g.to(torch.float32))",
                "nn.functional.silu(__g.to(torch.float32))",
            ):
                if rewrite(forward, old, "torch.sigmoid(__g.to(torch.float32))"):
                    return
    raise NotHere("no gated norm")


@semantic
def conv_activation(arch, dice):
    """What follows the short convolution is another activation."""
    new = dice.choice(['"gelu"', '"relu"', '"tanh"'])
    for cls in arch.classes():
        if find(cls, "nn.Conv1d(**__k)") and find(cls, "self.activation = __x"):
            change(
                method(cls, "__init__"),
                "self.activation = __x",
                f"self.activation = {new}",
            )
            rewrite(
                method(cls, "__init__"),
                "self.act = ACT2FN[__x]",
                f"self.act = ACT2FN[{new}]",
            )
            return
    raise NotHere("no convolution")


@semantic
def skip_scaled(arch, dice):
    """The skip of a state space block is halved."""
    changed = 0
    for cls in arch.classes():
        forward = method(cls, "forward")
        if forward and find(cls, "nn.Conv1d(**__k)") and find(cls, "self.D = __x"):
            changed += rewrite(forward, "self.D", "(0.5 * self.D)")
    must(changed, "no skip")


@semantic
def conv_gate(arch, dice):
    """The gate after a short convolution is bounded."""
    _everywhere(arch, [("y = C * __x", "y = torch.sigmoid(C) * __x")])

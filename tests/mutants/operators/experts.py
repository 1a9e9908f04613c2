"""How experts are chosen and what is added to them."""

from ..architecture import change, extend_init, method, must
from ..patterns import find, rewrite
from .registry import semantic

SOFTMAX = "router_probs = torch.nn.functional.softmax(__l, **__k)"
TOPK = "router_top_value, router_indices = torch.topk(router_probs, self.top_k, **__k)"


def _softmax_router(arch):
    for cls in arch.classes():
        if find(cls, SOFTMAX) and find(cls, TOPK):
            return cls
    return arch.absent("no softmax router")


def _sigmoid_router(arch):
    for cls in arch.classes():
        if find(cls, "scores = router_logits.sigmoid()"):
            return cls
    return arch.absent("no sigmoid router")


@semantic
def router_sigmoid(arch, dice):
    """Scores are sigmoids, not a softmax."""
    change(_softmax_router(arch), SOFTMAX, "router_probs = torch.sigmoid(__l.float())")


@semantic
def router_softmax(arch, dice):
    """Scores are a softmax, not sigmoids."""
    change(
        _sigmoid_router(arch),
        "scores = router_logits.sigmoid()",
        "scores = router_logits.softmax(dim=-1)",
    )


@semantic
def router_root(arch, dice):
    """Scores are roots of softplus."""
    for cls in arch.classes():
        new = "torch.sqrt(torch.nn.functional.softplus({}.float()))"
        if find(cls, SOFTMAX) and find(cls, TOPK):
            return change(cls, SOFTMAX, "router_probs = " + new.format("__l"))
        if find(cls, "scores = router_logits.sigmoid()"):
            return change(
                cls,
                "scores = router_logits.sigmoid()",
                "scores = " + new.format("router_logits"),
            )
    return arch.absent("no router")


@semantic
def router_normalised(arch, dice):
    """The chosen weights sum to one, or no longer do."""
    cls = _softmax_router(arch)
    forward = method(cls, "forward")
    line = "router_top_value /= router_top_value.sum(dim=-1, keepdim=True)"
    if find(cls, "self.norm_topk_prob"):
        must(
            rewrite(forward, "self.norm_topk_prob", "not self.norm_topk_prob"),
            "no choice",
        )
    elif not rewrite(forward, line, "router_top_value = router_top_value + 0"):
        change(forward, TOPK, f"{TOPK}\n{line}")


@semantic
def router_scaled(arch, dice):
    """The chosen weights are multiplied."""
    cls = _softmax_router(arch)
    change(
        cls,
        "router_scores = router_top_value",
        "router_scores = router_top_value * 1.8",
    )


@semantic
def router_after(arch, dice):
    """The softmax is of the chosen logits only."""
    cls = _softmax_router(arch)
    change(cls, SOFTMAX, "router_probs = __l.float()")
    change(
        cls,
        TOPK,
        f"{TOPK}\nrouter_top_value = torch.nn.functional.softmax(router_top_value, dim=-1)",
    )


@semantic
def router_bias(arch, dice):
    """A bias that takes part in choosing, not in weighing."""
    cls = _softmax_router(arch)
    made = find(cls, "self.weight = nn.Parameter(__f(self.num_experts, __n))")
    must(made, "no weight")
    extend_init(cls, "self.choice_bias = nn.Parameter(torch.zeros(self.num_experts))")
    change(
        cls,
        TOPK,
        "router_indices = torch.topk(router_probs + self.choice_bias, self.top_k, **__k)[1]\n"
        "router_top_value = router_probs.gather(-1, router_indices)",
    )


@semantic
def router_normed(arch, dice):
    """The router reads its input normalised."""
    done = 0
    for cls in arch.classes():
        for old in (
            "F.linear(__x, self.weight)",
            "F.linear(__x.type(__t), self.weight.type(__t))",
        ):
            if find(cls, "self.top_k = __x") and find(cls, old):
                done += rewrite(
                    cls,
                    old,
                    old.replace(
                        "__x", "(__x / (__x.norm(dim=-1, keepdim=True) + 1e-3))"
                    ),
                )
    must(done, "no router")


def _experts_block(arch):
    """The class that calls router and experts, and its result's name."""
    for cls in arch.classes():
        forward = method(cls, "forward")
        if (
            forward
            and find(cls, "self.experts = __c(config)")
            and find(forward, "__h = self.experts(__h, *__a)")
        ):
            return cls, forward
    return arch.absent("no block of experts")


@semantic
def shared_expert(arch, dice):
    """A dense expert for every token, perhaps gated."""
    cls, forward = _experts_block(arch)
    must(
        not find(cls, "self.shared_experts = __x")
        and not find(cls, "self.shared_expert = __x"),
        "has one",
    )
    gated = dice.random() < 0.5
    gate = "torch.sigmoid(self.common_gate(__h)) * " if gated else ""
    change(
        forward,
        "__h = self.experts(__h, *__a)",
        f"common = {gate}self.common_down(torch.nn.functional.silu(self.common_gate_proj(__h)) * self.common_up(__h))\n"
        "__h = self.experts(__h, *__a) + common",
    )
    extend_init(
        cls,
        "self.common_gate_proj = nn.Linear(config.hidden_size, 40, bias=False)\n"
        "self.common_up = nn.Linear(config.hidden_size, 40, bias=False)\n"
        "self.common_down = nn.Linear(40, config.hidden_size, bias=False)",
    )
    if gated:
        extend_init(
            cls, "self.common_gate = nn.Linear(config.hidden_size, 1, bias=False)"
        )


@semantic
def expert_activation(arch, dice):
    """Experts are activated otherwise."""
    new = dice.choice(
        [
            "gate * torch.sigmoid(1.3 * gate) * (up + 1)",
            "nn.functional.relu(gate).pow(2) * up",
            "torch.tanh(gate) * up",
            "self.act_fn(gate.clamp(max=0.8)) * up.clamp(min=-0.8, max=0.8)",
            "self.act_fn(up) * gate",
        ]
    )
    for cls in arch.classes():
        if rewrite(cls, "self.act_fn(gate) * up", new):
            # The library's kernels would compute what the decorator promises.
            cls.decorator_list = []
            return
    arch.absent("no gated experts")

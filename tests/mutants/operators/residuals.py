"""Sums, multipliers, and what enters and leaves the stack."""

import ast

from ..architecture import change, extend_init, method, must
from ..patterns import find, statements
from .norms import branch_name, branches
from .registry import semantic


def _ends(arch):
    """(body, place of the sum, the branch's name), the last first."""
    out = []
    for body, _, end in reversed(branches(arch)):
        out.append((body, end, branch_name(body[end], body[end].targets[0].id)))
    return out


def layer_index(arch):
    """Lets layers keep their index."""
    init = method(arch.layer(), "__init__")
    must(any(a.arg == "layer_idx" for a in init.args.args), "layers have no index")
    if not find(init, "self.layer_idx = layer_idx"):
        extend_init(arch.layer(), "self.layer_idx = layer_idx")


@semantic
def residual_multiplier(arch, dice):
    """Branches are multiplied before they are added."""
    if dice.random() < 0.5:
        extend_init(
            arch.layer(),
            f"self.branch_multiplier = {arch.add_field('branch_multiplier', 0.37)}",
        )
        factor = "self.branch_multiplier"
    else:
        factor = "0.37"
    for body, end, name in _ends(arch):
        body[end:end] = statements(f"{name} = {name} * {factor}")


@semantic
def layer_gain(arch, dice):
    """Each branch has a gain that is learned: a number, or one of each channel."""
    size = dice.choice(["1", "config.hidden_size"])
    for i, (body, end, name) in enumerate(_ends(arch)):
        body[end:end] = statements(f"{name} = {name} * self.gain_{i}")
        extend_init(arch.layer(), f"self.gain_{i} = nn.Parameter(torch.ones({size}))")


@semantic
def depth_multiplier(arch, dice):
    """Branches fade with depth."""
    layer_index(arch)
    text = dice.choice(
        [
            "1.0 / (layer_idx + 1) ** 0.5",
            "1.0 - 0.2 * layer_idx",
            "(2 * config.num_hidden_layers) ** -0.25 * (layer_idx + 1)",
        ]
    )
    extend_init(arch.layer(), f"self.depth_scale = {text}")
    for body, end, name in _ends(arch):
        body[end:end] = statements(f"{name} = {name} * self.depth_scale")


@semantic
def first_layer_apart(arch, dice):
    """The first layer's branches are not added to a residual."""
    layer_index(arch)
    body, end, name = _ends(arch)[0]
    body[end:end] = statements(f"if self.layer_idx == 0:\n    {name} = {name} * 0.5")


@semantic
def parallel_residual(arch, dice):
    """Both branches read the same norm, and are added at once."""
    found = branches(arch)
    must(len(found) == 2, "not two branches")
    (body, first, add), (_, second, last) = found
    norm = body[first].targets[0].id
    must(body[first].targets[0].id == body[second].targets[0].id, "other names")
    kept = find(body[add], f"{norm} = __r + {norm}")
    kept = kept or find(body[add], f"{norm} = {norm} + __r")
    must(kept, "another sum")
    residual = [i for i in range(add, second) if find(body[i], f"__r = {norm}")]
    must(len(residual) == 1, "no second residual")
    gone = body[second].value.func.attr
    body[last] = statements(f"{norm} = __r + mixed + {norm}", __r=kept[0][1]["__r"])[0]
    body[second : second + 1] = []
    body[add : residual[0] + 1] = statements(f"mixed = {norm}\n{norm} = normed")
    body[first + 1 : first + 1] = statements(f"normed = {norm}")
    init = method(arch.layer(), "__init__")
    init.body = [n for n in init.body if not find(n, f"self.{gone} = __x")]


@semantic
def residual_mixed(arch, dice):
    """Each layer adds the embeddings anew, by a gain that is learned."""
    layer = arch.layer()
    forward, model = method(layer, "forward"), arch.model()
    loop = next(
        (n for n in ast.walk(method(model, "forward")) if isinstance(n, ast.For)), None
    )
    must(loop, "no loop")
    must(forward.args.kwarg, "no further arguments")
    name = forward.args.args[1].arg
    call = next(
        (n for n in ast.walk(loop) if isinstance(n, ast.Call) and n.keywords), None
    )
    must(
        call is not None
        and find(method(model, "forward"), "hidden_states = inputs_embeds"),
        "no embeddings",
    )
    call.keywords.insert(0, ast.keyword("start", ast.Name("inputs_embeds", ast.Load())))
    forward.args.args.append(ast.arg("start"))
    forward.args.defaults.append(ast.Constant(None))
    forward.body[:0] = statements(f"{name} = {name} + self.start_gain * start")
    extend_init(layer, "self.start_gain = nn.Parameter(torch.ones(1))")


@semantic
def embedding_scale(arch, dice):
    """Embeddings are multiplied."""
    forward = method(arch.model(), "forward")
    factor = dice.choice(["2.2", "self.config.hidden_size ** 0.5", None])
    factor = factor or "self." + arch.add_field("embedding_gain", 3.5)
    change(
        forward,
        "hidden_states = inputs_embeds",
        f"hidden_states = inputs_embeds * {factor}",
    )


@semantic
def embedding_projected(arch, dice):
    """A linear map of the embeddings."""
    model = arch.model()
    change(
        method(model, "forward"),
        "hidden_states = inputs_embeds",
        "hidden_states = self.embed_map(inputs_embeds)",
    )
    bias = dice.random() < 0.5
    extend_init(
        model,
        f"self.embed_map = nn.Linear(config.hidden_size, config.hidden_size, bias={bias})",
    )


def _logits(arch, new):
    forward = method(arch.causal, "forward")
    made = "logits = self.__h(__x)"
    must(find(forward, made), "no logits of one map")
    change(forward, made, f"{made}\n{new}")


@semantic
def logit_softcap(arch, dice):
    """A softcap on the logits."""
    cap = "self." + arch.add_field("logit_cap", 1.5) if dice.random() < 0.5 else "2.0"
    _logits(arch, f"logits = {cap} * torch.tanh(logits / {cap})")


@semantic
def logit_scale(arch, dice):
    """Logits are divided."""
    _logits(
        arch,
        dice.choice(
            [
                "logits = logits / 1.7",
                "logits = logits * (256 / self.config.hidden_size)",
            ]
        ),
    )


@semantic
def logit_bias(arch, dice):
    """Logits have a bias of their own."""
    _logits(arch, "logits = logits + self.logit_bias")
    extend_init(
        arch.causal, "self.logit_bias = nn.Parameter(torch.zeros(config.vocab_size))"
    )

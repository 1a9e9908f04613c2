"""What attention does between its projections."""

import ast

from ..architecture import NotHere, change, extend_init, method, must
from ..patterns import find, rewrite, statements
from .registry import semantic

ROTATED = "__q, __k = apply_rotary_pos_emb(*__a, **__m)"
UPDATED = "__k, __v = __c.update(__k, __v, self.layer_idx)"


def _before(node, pattern, new, after=False):
    """Puts statements before (or after) those of a pattern."""
    order = "{old}\n{new}" if after else "{new}\n{old}"
    return rewrite(node, pattern, order.format(old=pattern, new=new))


def _head_norm(arch, cls, names):
    """Norms over a head's width, made by the attention's __init__."""
    norms = [c for c in arch.norms() if _takes_width(c)]
    must(norms, "no norm of a width")
    width = next(
        (w for w in ("head_dim", "head_size") if find(cls, f"self.{w} = __x")), None
    )
    must(width, "no width of a head")
    for name in names:
        must(not find(cls, f"self.{name} = __x"), f"has a {name}")
        extend_init(cls, f"self.{name} = {norms[0].name}(self.{width})")


def _takes_width(cls):
    arguments = method(cls, "__init__").args
    return len(arguments.args) - len(arguments.defaults) == 2


def _each(arch, edit):
    """Applies `edit` to every attention class that it suits."""
    problem = None
    done = 0
    for cls in arch.attentions():
        try:
            edit(cls)
            done += 1
        except NotHere as error:
            problem = error
    if not done:
        raise problem


@semantic
def qk_norm_before_rope(arch, dice):
    """Queries and keys are normalised by head, then rotated."""
    _qk_norm(arch, False)


@semantic
def qk_norm_after_rope(arch, dice):
    """Queries and keys are normalised by head after the rotation."""
    _qk_norm(arch, True)


def _qk_norm(arch, after):
    def edit(cls):
        forward = method(cls, "forward")
        must(find(forward, ROTATED), "no rotation")
        _head_norm(arch, cls, ["query_norm", "key_norm"])
        _before(
            forward,
            ROTATED,
            "__q = self.query_norm(__q)\n__k = self.key_norm(__k)",
            after,
        )

    _each(arch, edit)


@semantic
def value_norm(arch, dice):
    """Values are normalised by head."""

    def edit(cls):
        forward = method(cls, "forward")
        must(find(forward, UPDATED), "no cache of keys and values")
        _head_norm(arch, cls, ["value_norm"])
        at = next(i for i, n in enumerate(forward.body) if find(n, UPDATED))
        value = find(forward.body[at], UPDATED)[0][1]["__v"]
        forward.body[at:at] = statements("__v = self.value_norm(__v)", __v=value)

    _each(arch, edit)


@semantic
def output_gate(arch, dice):
    """A sigmoid of a projection of the input multiplies what attention answers."""
    per_head = dice.random() < 0.4

    def edit(cls):
        forward, init = method(cls, "forward"), method(cls, "__init__")
        last = find(forward, "attn_output = self.__o(attn_output)")
        must(last, "no last projection")
        made = find(init, f"self.{last[0][1]['__o']} = nn.Linear(__n, __m, **__k)")
        must(made, "not a linear one")
        width = made[0][1]["__n"]
        x = ast.Name(forward.args.args[1].arg)
        at = next(i for i, n in enumerate(forward.body) if n is last[0][0])
        if per_head:
            must(find(cls, "self.head_dim = __x"), "no width of a head")
            extend_init(
                cls,
                "self.head_gate = nn.Linear(config.hidden_size, config.num_attention_heads, bias=False)",
            )
            lines = (
                "gate = torch.sigmoid(self.head_gate(__x)).unsqueeze(-1)\n"
                "attn_output = attn_output.view(*attn_output.shape[:-1], gate.shape[-2], -1) * gate\n"
                "attn_output = attn_output.flatten(-2)"
            )
        else:
            extend_init(
                cls,
                "self.output_gate = nn.Linear(config.hidden_size, __n, bias=False)",
                __n=width,
            )
            lines = "attn_output = attn_output * torch.sigmoid(self.output_gate(__x))"
        forward.body[at:at] = statements(lines, __x=x)

    _each(arch, edit)


@semantic
def attention_scale(arch, dice):
    """Scores are scaled otherwise."""
    how = dice.choice(["1.0 / self.{w}", "0.11", "self.{w} ** -0.5 * {f}"])
    factor = arch.add_field("score_multiplier", 0.6) if "{f}" in how else ""

    def edit(cls):
        init = method(cls, "__init__")
        made = find(init, "self.scaling = self.__w ** -0.5")
        must(made, "no scaling by a width")
        text = how.format(w=made[0][1]["__w"], f=factor)
        change(init, "self.scaling = self.__w ** -0.5", f"self.scaling = {text}")

    _each(arch, edit)


def _eager(arch):
    function = arch.function("eager_attention_forward")
    must(function, "no eager attention")
    must(find(function, "attn_weights = torch.matmul(__q, __k) * __s"), "no scores")
    return function


@semantic
def attention_softcap(arch, dice):
    """A softcap on the scores."""
    cap = arch.add_field("score_cap", 3.0) if dice.random() < 0.5 else None
    cap = "module." + cap if cap else "2.5"
    scores = "attn_weights = torch.matmul(__q, __k) * __s"
    new = f"{scores}\nattn_weights = torch.tanh(attn_weights / {cap}) * {cap}"
    change(_eager(arch), scores, new)


@semantic
def attention_sink(arch, dice):
    """Each head has a logit that takes part in the softmax and is dropped."""
    function = _eager(arch)

    def edit(cls):
        must(not find(cls, "self.sinks = __x"), "has sinks")
        extend_init(
            cls, "self.sinks = nn.Parameter(torch.zeros(config.num_attention_heads))"
        )

    must(not find(function, "module.sinks"), "has sinks")
    softmax = "attn_weights = nn.functional.softmax(attn_weights, **__k).to(__d)"
    must(find(function, softmax), "no softmax")
    _each(arch, edit)
    change(
        function,
        softmax,
        "sinks = module.sinks.reshape(1, -1, 1, 1).expand(attn_weights.shape[0], -1, attn_weights.shape[2], 1)\n"
        "attn_weights = torch.cat([attn_weights, sinks], dim=-1)\n"
        "attn_weights = nn.functional.softmax(attn_weights, **__k).to(__d)[..., :-1]",
    )


@semantic
def score_bias(arch, dice):
    """Scores of a head have a temperature that is learned."""
    function = _eager(arch)

    def edit(cls):
        extend_init(
            cls,
            "self.temperature = nn.Parameter(torch.ones(config.num_attention_heads))",
        )

    _each(arch, edit)
    scores = "attn_weights = torch.matmul(__q, __k) * __s"
    change(
        function,
        scores,
        "attn_weights = torch.matmul(__q, __k) * (__s * module.temperature.view(1, -1, 1, 1))",
    )


@semantic
def sliding_alternate(arch, dice):
    """Every other layer sees a window."""
    model = arch.model()
    forward = method(model, "forward")
    must(not find(model, "create_sliding_window_causal_mask(**__k)"), "has a window")
    name = "__m = create_causal_mask(**__k)"
    must(find(forward, name), "no causal mask")
    period = dice.choice([2, 3])
    made = find(forward, name)[0][1]["__m"].id
    loop = next((n for n in ast.walk(forward) if isinstance(n, ast.For)), None)
    must(loop is not None and find(loop, f"attention_mask={made}") == [], "no loop")
    change(
        forward,
        name,
        f"{name}\nsliding_mask = create_sliding_window_causal_mask(**__k)",
    )
    arch.add_import(
        "from transformers.masking_utils import create_sliding_window_causal_mask"
    )
    index = enumerated(loop)
    used = 0
    for call in [n for n in ast.walk(loop) if isinstance(n, ast.Call)]:
        for key in call.keywords:
            if key.arg == "attention_mask" and isinstance(key.value, ast.Name):
                key.value = ast.parse(
                    f'sliding_mask if self.config.layer_types[{index}] == "sliding_attention" else {made}',
                    mode="eval",
                ).body
                used += 1
    must(used, "no mask given to layers")
    layers = arch.base_config["num_hidden_layers"]
    must("layer_types" not in arch.base_config, "has kinds of layers")
    arch.add_field("sliding_window", 5)
    kinds = ["sliding_attention", "full_attention"]
    arch.add_field("layer_types", [kinds[(i + 1) % period == 0] for i in range(layers)])


def enumerated(loop):
    """The name of the layer's index in the loop over layers."""
    if isinstance(loop.target, ast.Tuple):
        return loop.target.elts[0].id
    loop.target = ast.Tuple([ast.Name("index", ast.Store()), loop.target], ast.Store())
    loop.iter = ast.Call(ast.Name("enumerate", ast.Load()), [loop.iter], [])
    ast.fix_missing_locations(loop)
    return "index"


@semantic
def shared_values(arch, dice):
    """Values of the first layer are mixed into all others'."""
    model = arch.model()
    forward = method(model, "forward")
    loop = next((n for n in ast.walk(forward) if isinstance(n, ast.For)), None)
    must(loop, "no loop")
    layer = method(arch.layer(), "forward")
    must(find(layer, "__x, _ = self.__a(*__r, **__m)"), "no attention of its own")

    def edit(cls):
        attend = method(cls, "forward")
        at = next((i for i, n in enumerate(attend.body) if find(n, UPDATED)), None)
        must(at, "no cache of keys and values")
        value = find(attend.body[at], UPDATED)[0][1]["__v"]
        attend.body[at:at] = statements(
            'if self.layer_idx == 0:\n    kwargs["first"]["values"] = __v\n'
            'else:\n    __v = __v + self.mix * kwargs["first"]["values"]',
            __v=value,
        )
        extend_init(cls, "self.mix = nn.Parameter(torch.ones(1))")
        call = find(attend, "attention_interface(*__a, **__k)")
        must(call, "no call")
        must(attend.args.kwarg, "no further arguments")

    _each(arch, edit)
    call = next(n for n in ast.walk(loop) if isinstance(n, ast.Call) and n.keywords)
    call.keywords.insert(0, ast.keyword("first", ast.Name("first", ast.Load())))
    at = next(i for i, n in enumerate(forward.body) if n is loop)
    forward.body[at:at] = statements("first = {}")

"""The same model written otherwise: what must not matter to the compiler."""

import ast
import re

from ..architecture import change, method, must
from ..patterns import find, rewrite, statements
from .registry import style

WORDS = ["Vesper", "Quill", "Tarn", "Ember", "Lodestone", "Marrow", "Juniper"]


class _Names(ast.NodeTransformer):
    """Other names for classes and functions, also in strings that name them."""

    def __init__(self, names):
        self.names = names

    def visit_Name(self, node):
        node.id = self.names.get(node.id, node.id)
        return node

    def visit_Constant(self, node):
        if isinstance(node.value, str):
            node.value = self.names.get(node.value, node.value)
        return node

    def visit_ClassDef(self, node):
        node.name = self.names.get(node.name, node.name)
        return self.generic_visit(node)

    visit_FunctionDef = visit_ClassDef

    def visit_alias(self, node):
        node.name = self.names.get(node.name, node.name)
        return node


@style
def classes_renamed(arch, dice):
    """Classes have other names; the library goes by some endings, which stay."""
    arch.attentions()  # it goes by the whole name where there is none
    word = dice.choice(WORDS)
    own = [*arch.classes(), arch.config_class]
    kept = "(PreTrainedModel|ForCausalLM|RotaryEmbedding|Config|Model)$"
    names = {}
    for number, cls in enumerate(own):
        ending = re.search(kept, cls.name)
        names[cls.name] = f"{word}{ending[1]}" if ending else f"{word}Part{number}"
    must(len(set(names.values())) == len(names), "names collide")
    for tree in (arch.modeling, arch.config):
        _Names(names).visit(tree)
    arch.causal_name = names[arch.causal_name]


@style
def functions_renamed(arch, dice):
    """Functions of the file have other names."""
    names = {f.name: f"step_{i}" for i, f in enumerate(arch.functions())}
    must(names, "no functions")
    kept = {"apply_rotary_pos_emb", "eager_attention_forward", "rotate_half"}
    if dice.random() < 0.5:
        kept = set()
    decorated = {f.name for f in arch.functions() if f.decorator_list}
    names = {k: v for k, v in names.items() if k not in kept | decorated}
    must(names, "no functions")
    _Names(names).visit(arch.modeling)


ATTRIBUTES = {
    "q_proj": "to_queries",
    "k_proj": "to_keys",
    "v_proj": "to_values",
    "o_proj": "out",
    "gate_proj": "w_gate",
    "up_proj": "w_in",
    "down_proj": "w_out",
    "self_attn": "mixer",
    "mlp": "ffn",
    "input_layernorm": "norm_1",
    "post_attention_layernorm": "norm_2",
    "qkv_proj": "fused_qkv",
    "query_key_value": "wqkv",
    "dense": "wo",
    "embed_tokens": "tokens",
    "layers": "stack",
    "norm": "last_norm",
    "gate": "chooser",
    "experts": "specialists",
}


@style
def attributes_renamed(arch, dice):
    """Submodules have other names, and the weights with them."""
    made = {b["__a"] for _, b in find(arch.modeling, "self.__a = __c(*__x, **__k)")}
    names = sorted(
        set(ATTRIBUTES) & made - {"layers", "embed_tokens", "norm", "experts"}
    )
    must(names, "no known names")
    chosen = dice.sample(names, min(len(names), 4))
    for node in ast.walk(arch.modeling):
        if isinstance(node, ast.Attribute) and node.attr in chosen:
            node.attr = ATTRIBUTES[node.attr]
    arch.renamed += [(name, ATTRIBUTES[name]) for name in chosen]
    for line in arch.config_class.body:
        if isinstance(line, ast.Assign) and "plan" in ast.unparse(line.targets[0]):
            _Plan(chosen).visit(line)


class _Plan(ast.NodeTransformer):
    def __init__(self, chosen):
        self.chosen = chosen

    def visit_Constant(self, node):
        if isinstance(node.value, str) and "." in node.value:
            parts = node.value.split(".")
            node.value = ".".join(
                ATTRIBUTES[p] if p in self.chosen else p for p in parts
            )
        return node


@style
def scores_by_einsum(arch, dice):
    """Matrix products as einsum."""
    function = arch.function("eager_attention_forward")
    must(function, "no eager attention")
    change(
        function,
        "torch.matmul(__q, __k.transpose(2, 3))",
        'torch.einsum("bhqd,bhkd->bhqk", __q, __k)',
    )
    rewrite(
        function,
        "torch.matmul(attn_weights, __v)",
        'torch.einsum("bhqk,bhkd->bhqd", attn_weights, __v)',
    )


@style
def scores_by_operator(arch, dice):
    """Matrix products by their operator, swapped axes by negative numbers."""
    function = arch.function("eager_attention_forward")
    must(function, "no eager attention")
    change(function, "torch.matmul(__q, __k.transpose(2, 3))", "__q @ __k.mT")
    rewrite(function, "torch.matmul(attn_weights, __v)", "attn_weights @ __v")
    rewrite(
        function,
        "attn_output.transpose(1, 2).contiguous()",
        "attn_output.permute(0, 2, 1, 3).contiguous()",
    )


@style
def scores_scaled_first(arch, dice):
    """Queries are scaled before the product."""
    function = arch.function("eager_attention_forward")
    must(function, "no eager attention")
    change(
        function, "torch.matmul(__q, __k) * scaling", "torch.matmul(__q * scaling, __k)"
    )


@style
def products_by_function(arch, dice):
    """`x * y` as torch.mul and sums as torch.add, in layers and norms."""
    done = 0
    for cls in [arch.layer(), *_or_none(arch.norms)]:
        forward = method(cls, "forward")
        done += rewrite(forward, "residual + __x", "torch.add(residual, __x)")
        done += rewrite(forward, "self.weight * __x", "torch.mul(self.weight, __x)")
    must(done, "no such sums")


def _or_none(parts):
    try:
        return parts()
    except Exception:
        return []


@style
def layers_appended(arch, dice):
    """The list of layers is filled in a loop."""
    model = arch.model()
    change(
        method(model, "__init__"),
        "self.layers = nn.ModuleList([__c for __i in __r])",
        "self.layers = nn.ModuleList()\nfor __i in __r:\n    self.layers.append(__c)",
    )


@style
def halves_in_place(arch, dice):
    """The rotation of halves stands where it is used."""
    function = arch.function("rotate_half")
    must(function and find(function, "torch.cat((-x2, x1), dim=-1)"), "no halves")
    must(find(function, "x1 = x[..., :x.shape[-1] // 2]"), "no halves")
    change(
        arch.modeling,
        "rotate_half(__q)",
        "torch.cat((-__q[..., __q.shape[-1] // 2:], __q[..., :__q.shape[-1] // 2]), dim=-1)",
    )


@style
def halves_by_chunk(arch, dice):
    """Halves are taken by chunk, and rotated without a function of their own."""
    function = arch.function("rotate_half")
    must(function and find(function, "torch.cat((-x2, x1), dim=-1)"), "no halves")
    must(find(function, "x1 = x[..., :x.shape[-1] // 2]"), "no halves")
    function.body = statements(
        "x1, x2 = x.chunk(2, dim=-1)\nreturn torch.cat([x2.neg(), x1], -1)"
    )


@style
def linear_by_function(arch, dice):
    """The last projection of a gated block is called by its weight."""
    done = 0
    for cls in arch.classes():
        linear = "self.down_proj = nn.Linear(__i, __o, **__k)"
        if find(cls, linear):
            done += rewrite(
                method(cls, "forward"),
                "self.down_proj(__x)",
                "nn.functional.linear(__x, self.down_proj.weight, self.down_proj.bias)",
            )
    must(done, "no such projection")


@style
def silu_in_place(arch, dice):
    """silu is written where the config names it."""
    must("silu" == arch.base_config.get("hidden_act"), "not silu")
    new = dice.choice(["nn.functional.silu(__x)", "__x * torch.sigmoid(__x)"])
    done = 0
    for cls in arch.classes():
        forward = method(cls, "forward")
        if forward and find(cls, "self.act_fn = ACT2FN[__x]"):
            done += rewrite(forward, "self.act_fn(__x)", new)
    must(done, "no activation")


@style
def norm_by_root(arch, dice):
    """Norms divide by a square root."""
    new = dice.choice(
        ["__h / torch.sqrt(__x)", "__h * (__x) ** -0.5", "torch.div(__h, (__x).sqrt())"]
    )
    done = 0
    for cls in arch.norms():
        done += rewrite(method(cls, "forward"), "__h * torch.rsqrt(__x)", new)
    must(done, "of another form")


@style
def norm_by_library(arch, dice):
    """Norms call the library's function."""
    done = 0
    for cls in arch.norms():
        forward = method(cls, "forward")
        last = find(forward, "return self.weight * hidden_states.to(input_dtype)")
        if last and find(cls, "self.variance_epsilon = eps"):
            if find(forward, "hidden_states.mean(-1, keepdim=True)"):
                continue
            must(len(forward.body) == 5, "of another form")
            forward.body = statements(
                "return nn.functional.rms_norm(hidden_states, self.weight.shape, self.weight, self.variance_epsilon)"
            )
            done += 1
    must(done, "of another form")


@style
def residual_added_in_place(arch, dice):
    """Sums are augmented assignments, the residual last."""
    change(
        method(arch.layer(), "forward"), "__x = residual + __x", "__x = __x + residual"
    )


@style
def heads_repeated(arch, dice):
    """Keys and values are repeated by repeat_interleave."""
    function = arch.function("repeat_kv")
    must(function, "nothing repeated")
    function.body = statements(
        "return torch.repeat_interleave(hidden_states, n_rep, dim=1)"
    )


@style
def heads_unflattened(arch, dice):
    """Heads are split by unflatten and merged by flatten."""
    done = 0
    for cls in arch.attentions():
        forward = method(cls, "forward")
        done += rewrite(
            forward, "__x.view(hidden_shape)", "__x.unflatten(-1, hidden_shape[-2:])"
        )
        rewrite(
            forward,
            "attn_output.reshape(*input_shape, -1).contiguous()",
            "attn_output.flatten(2)",
        )
    must(done, "of another form")


@style
def block_by_method(arch, dice):
    """A gated block computes in a method of its own, step by step."""
    done = 0
    for cls in arch.classes():
        forward = method(cls, "forward")
        gated = "self.act_fn(self.__g(__x)) * self.__u(__x)"
        found = find(forward, gated) if forward else []
        if found and len(found) == 1:
            made = found[0][1]
            change(forward, gated, "self.inner(__x)")
            cls.body += statements(
                "def inner(self, states):\n"
                "    gate = self.__g(states)\n    gate = self.act_fn(gate)\n"
                "    states = self.__u(states)\n    states = gate * states\n    return states",
                **{k: v for k, v in made.items() if k in ("__g", "__u")},
            )
            done += 1
    must(done, "no gated block")

"""Where norms stand and what they compute."""

import ast

from ..architecture import NotHere, change, extend_init, method, must
from ..patterns import find, rewrite, statements
from .registry import semantic


def branches(arch):
    """(body, norm, add) for each residual branch of the layer's forward: the places
    of `x = self.norm(x)` and of the sum that ends the branch."""
    layer = arch.layer()
    body = method(layer, "forward").body
    found, norm = [], None
    for i, node in enumerate(body):
        named = find(node, "__x = self.__norm(__x)")
        if (
            named
            and named[0][0] is node
            and is_norm(arch, layer, named[0][1]["__norm"])
        ):
            norm = i
        elif norm is not None and is_sum(node):
            found.append((body, norm, i))
            norm = None
    if not found:
        raise NotHere("no residual branches in a row")
    return found


def is_sum(node):
    """`x = residual + x`, either way around, x perhaps in another module's call."""
    if not isinstance(node, ast.Assign) or not isinstance(node.value, ast.BinOp):
        return False
    return isinstance(node.value.op, ast.Add) and isinstance(node.targets[0], ast.Name)


def is_norm(arch, layer, name):
    made = find(method(layer, "__init__"), f"self.{name} = __c(*__a, **__k)")
    return any("Norm" in ast.unparse(found["__c"]) for _, found in made)


@semantic
def norm_after(arch, dice):
    """The norm of each branch comes after it, before the sum."""
    for body, norm, end in reversed(branches(arch)):
        moved = body.pop(norm)
        name = body[end - 1].targets[0].id
        branch = branch_name(body[end - 1], name)
        body.insert(
            end - 1,
            statements(
                "__b = self.__n(__b)", __b=ast.Name(branch), __n=moved.value.func.attr
            )[0],
        )


def branch_name(add, target):
    """What is added to the residual: the operand named as the result, if one is."""
    names = [n.id for n in (add.value.left, add.value.right) if isinstance(n, ast.Name)]
    if target in names:
        return target
    if not names:
        raise NotHere("a sum of no names")
    return names[-1]


@semantic
def norm_around(arch, dice):
    """A further norm of each branch's result."""
    name, found = arch.norm_like()
    for i, (body, _, end) in reversed(list(enumerate(branches(arch)))):
        target = branch_name(body[end], body[end].targets[0].id)
        line = f"__b = self.branch_norm_{i}(__b)"
        body[end:end] = statements(line, __b=ast.Name(target))
        extend_init(
            arch.layer(), f"self.branch_norm_{i} = {name}(__size, *__a, **__k)", **found
        )


@semantic
def norm_offset(arch, dice):
    """Norms multiply by 1 + weight, or no longer do."""
    changed = 0
    for cls in arch.norms():
        forward = method(cls, "forward")
        if rewrite(forward, "1.0 + self.weight.float()", "self.weight.float()"):
            changed += 1
        elif rewrite(forward, "self.weight * __x", "(1.0 + self.weight) * __x"):
            changed += 1
    must(changed, "no weight to offset")


@semantic
def norm_bias(arch, dice):
    """Norms add a bias."""
    for cls in arch.norms():
        made = find(method(cls, "__init__"), "self.weight = nn.Parameter(__f(__n))")
        must(made, "no weight")
        extend_init(
            cls, "self.shift = nn.Parameter(torch.zeros(__n))", __n=made[0][1]["__n"]
        )
        change(method(cls, "forward"), "return __x", "return __x + self.shift")


@semantic
def norm_centred(arch, dice):
    """Norms subtract the mean first."""
    for cls in arch.norms():
        forward = method(cls, "forward")
        name = ast.Name(forward.args.args[1].arg)
        line = "__x = __x - __x.mean(-1, keepdim=True)"
        forward.body[:0] = statements(line, __x=name)


@semantic
def norm_power(arch, dice):
    """Norms divide by the mean of magnitudes instead of the root of mean squares."""
    for cls in arch.norms():
        forward = method(cls, "forward")
        change(
            forward,
            "__x.pow(2).mean(-1, keepdim=True)",
            "__x.abs().mean(-1, keepdim=True).pow(2)",
        )


@semantic
def embedding_norm(arch, dice):
    """A norm of the embeddings."""
    name, found = arch.norm_like()
    model = arch.model()
    forward = method(model, "forward")
    change(
        forward,
        "hidden_states = inputs_embeds",
        "hidden_states = self.embed_norm(inputs_embeds)",
    )
    extend_init(model, f"self.embed_norm = {name}(__size, *__a, **__k)", **found)


@semantic
def last_norm_weightless(arch, dice):
    """The last norm has no weight."""
    model = arch.model()
    forward = method(model, "forward")
    names = [
        b["__n"] for _, b in find(forward, "hidden_states = self.__n(hidden_states)")
    ]
    names = [name for name in names if is_norm(arch, model, name)]
    must(names, "no last norm")
    change(
        forward,
        f"hidden_states = self.{names[-1]}(hidden_states)",
        "hidden_states = nn.functional.rms_norm(hidden_states, (hidden_states.shape[-1],), eps=1e-6)",
    )
    init = method(model, "__init__")
    init.body = [n for n in init.body if not find(n, f"self.{names[-1]} = __x")]

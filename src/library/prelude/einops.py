"""einops by the shape operations that its patterns stand for."""

from torch._products import arranged, size_of

import torch
from torch import nn


def _groups(side):
    """[["b"], ["h", "d"]] of "b (h d)"."""
    out, group = [], None
    for word in side.replace("(", " ( ").replace(")", " ) ").split():
        if word == "(":
            group = []
        elif word == ")":
            out.append(group)
            group = None
        elif group is not None:
            group.append(word)
        else:
            out.append([word])
    return out


def _parsed(pattern, rank):
    """The groups of both sides, an ellipsis written out."""
    sides = pattern.split("->")
    if len(sides) != 2:
        raise ValueError(f"'{pattern}' is no pattern of einops")
    left, right = _groups(sides[0]), _groups(sides[1])
    rest = [f"_{i}" for i in range(rank - len(left) + 1)]

    def spread(groups):
        out = []
        for group in groups:
            if group == ["..."]:
                out += [[name] for name in rest]
            else:
                out.append([n for name in group for n in _named(name, rest)])
        return [[name for name in group if name != "1"] for group in out]

    return spread(left), spread(right)


def _named(name, rest):
    return rest if name == "..." else [name]


def _sizes(tensor, left, given):
    """The size of each axis on the left."""
    if len(left) != tensor.dim():
        raise ValueError(f"expected {len(left)} axes, got {tensor.dim()}")
    sizes = dict(given)
    for i, group in enumerate(left):
        known, open_names = 1, []
        for name in group:
            if name in sizes:
                known = sizes[name] if known == 1 else known * sizes[name]
            else:
                open_names.append(name)
        if len(open_names) > 1:
            raise ValueError(f"the sizes of {open_names} are not given")
        for name in open_names:
            sizes[name] = (
                tensor.shape[i] if len(group) == 1 else tensor.shape[i] // known
            )
    return sizes


def _taken_apart(tensor, left, given, sizes):
    """An axis for each name, in order."""
    if all(len(group) == 1 for group in left):
        return tensor
    names = [name for group in left for name in group]
    grouped = [name for group in left if len(group) > 1 for name in group]
    open_names = [name for name in grouped if name not in given]
    shape = [sizes[name] for name in names]
    if len(open_names) == 1:
        shape[names.index(open_names[0])] = -1
    return tensor.reshape(shape)


def _put_together(tensor, right, sizes):
    """One axis for each group."""
    if all(len(group) == 1 for group in right):
        return tensor
    merged = [group for group in right if len(group) > 1]
    shape = []
    for group in right:
        open_size = len(merged) == 1 and group is merged[0]
        shape.append(-1 if open_size else size_of(sizes, group))
    return tensor.reshape(shape)


def _stacked(tensor):
    return torch.stack(list(tensor)) if isinstance(tensor, (list, tuple)) else tensor


def rearrange(tensor, pattern, **given):
    tensor = _stacked(tensor)
    left, right = _parsed(pattern, tensor.dim())
    sizes = _sizes(tensor, left, given)
    names = [name for group in left for name in group]
    wanted = [name for group in right for name in group]
    if sorted(names) != sorted(wanted):
        raise ValueError(f"both sides of '{pattern}' must name the same axes")
    out = arranged(names, _taken_apart(tensor, left, given, sizes), wanted)
    return _put_together(out, right, sizes)


def repeat(tensor, pattern, **given):
    tensor = _stacked(tensor)
    left, right = _parsed(pattern, tensor.dim())
    sizes = _sizes(tensor, left, given)
    names = [name for group in left for name in group]
    wanted = [name for group in right for name in group]
    out = _taken_apart(tensor, left, given, sizes)
    out = arranged(names, out, [name for name in wanted if name in names])
    fresh = [i for i, name in enumerate(wanted) if name not in names]
    for i in fresh:
        out = out.unsqueeze(i)
    if fresh:
        out = out.expand([sizes[name] for name in wanted])
    return _put_together(out, right, sizes)


def reduce(tensor, pattern, reduction, **given):
    tensor = _stacked(tensor)
    left, right = _parsed(pattern, tensor.dim())
    sizes = _sizes(tensor, left, given)
    names = [name for group in left for name in group]
    wanted = [name for group in right for name in group]
    out = _taken_apart(tensor, left, given, sizes)
    gone = [i for i, name in enumerate(names) if name not in wanted]
    if gone:
        how = {"max": "amax", "min": "amin"}.get(reduction, reduction)
        out = getattr(out, how)(dim=gone)
    kept = [name for name in names if name in wanted]
    return _put_together(arranged(kept, out, wanted), right, sizes)


def einsum(*operands_and_pattern):
    *operands, pattern = operands_and_pattern
    letters = {}
    for word in pattern.replace(",", " ").replace("->", " ").split():
        letters.setdefault(word, chr(ord("a") + len(letters)))

    def term(side):
        return "".join(letters[word] for word in side.split())

    sides = pattern.split("->")
    terms = ",".join(term(side) for side in sides[0].split(","))
    return torch.einsum(f"{terms}->{term(sides[1])}", *operands)


class Rearrange(nn.Module):
    def __init__(self, pattern, **given):
        super().__init__()
        self.pattern = pattern
        self.given = given

    def forward(self, input):
        return rearrange(input, self.pattern, **self.given)

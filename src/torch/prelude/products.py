"""torch.einsum by the operations that it stands for: what is recorded, and then
recognised, is the same however a product was written."""

from torch._native import einsum as _native_einsum


def einsum(equation, *operands):
    if len(operands) == 1 and isinstance(operands[0], (list, tuple)):
        operands = operands[0]
    text = equation.replace(" ", "")
    sides = text.split("->")
    terms = sides[0].split(",")
    plain = (
        len(sides) == 2
        and "." not in text
        and len(terms) == len(operands)
        and all(len(set(term)) == len(term) for term in (*terms, sides[1]))
        and all(t.dim() == len(term) for t, term in zip(operands, terms))
        and not any(_is_broadcast(operands, terms, letter) for letter in set(text))
    )
    if not plain:
        return _native_einsum(equation, *operands)
    output = sides[1]
    term, value = terms[0], operands[0]
    for i in range(1, len(operands)):
        needed = set("".join(terms[i + 1 :]) + output)
        last = i == len(operands) - 1
        wanted = output if last else None
        term, value = _pair(term, value, terms[i], operands[i], needed, wanted)
    return arranged(*_summed(term, value, output), output)


def _is_broadcast(operands, terms, letter):
    """Sizes of 1 beside others."""
    sizes = [
        operand.shape[term.index(letter)]
        for operand, term in zip(operands, terms)
        if letter in term
    ]
    return any(size != sizes[0] for size in sizes)


def _summed(term, value, needed):
    """Without the axes that nothing needs any more."""
    dims = [i for i, letter in enumerate(term) if letter not in needed]
    if dims:
        value = value.sum(dim=dims)
    return "".join(letter for letter in term if letter in needed), value


def arranged(term, value, order):
    """Axes by their names in another order."""
    dims = [term.index(letter) for letter in order]
    moved = [i for i, dim in enumerate(dims) if i != dim]
    if not moved:
        return value
    if len(moved) == 2:
        return value.transpose(moved[0], moved[1])
    return value.permute(*dims)


def _pair(left, a, right, b, needed, output):
    """The product of two, its letters and its value."""
    left, a = _summed(left, a, needed | set(right))
    right, b = _summed(right, b, needed | set(left))
    both = [letter for letter in left if letter in right]
    batch = [letter for letter in both if letter in needed]
    inner = [letter for letter in both if letter not in needed]
    rows = [letter for letter in left if letter not in right]
    columns = [letter for letter in right if letter not in left]
    if output:
        batch.sort(key=output.index)
        rows.sort(key=output.index)
        columns.sort(key=output.index)
    if not inner:
        return _outer(left, a, right, b, output or "".join(batch + rows + columns))
    many_rows = batch and len(rows) != 1
    sizes = {letter: a.shape[left.index(letter)] for letter in left}
    sizes.update({letter: b.shape[right.index(letter)] for letter in right})
    inner = [letter for letter in right if letter in inner]
    a = arranged(left, a, "".join(batch + rows + inner))
    b = _columns_last(right, b, batch, inner, columns)
    lead = [sizes[letter] for letter in batch]
    if many_rows or len(inner) > 1:
        kept = [size_of(sizes, rows)] if many_rows else [sizes[r] for r in rows]
        a = a.reshape(*lead, *kept, size_of(sizes, inner))
    if len(columns) != 1 or len(inner) > 1:
        b = b.reshape(*lead, size_of(sizes, inner), size_of(sizes, columns))
    value = a @ b
    term = "".join(batch + rows + columns)
    if many_rows or len(columns) != 1:
        value = value.reshape([sizes[letter] for letter in term])
    return term, value


def _columns_last(term, value, batch, inner, columns):
    """What stands on the right of a product; keys by their transpose, as most code
    has it."""
    order = "".join(batch + inner + columns)
    if term == order or len(inner) != 1 or len(columns) != 1:
        return arranged(term, value, order)
    rows_first = arranged(term, value, "".join(batch + columns + inner))
    return rows_first.transpose(-1, -2)


def size_of(sizes, letters):
    """How many elements these axes have together."""
    out = 1
    for letter in letters:
        out = sizes[letter] if out == 1 else out * sizes[letter]
    return out


def _outer(left, a, right, b, order):
    """Nothing is summed: each value beside each other."""
    return order, _spread(left, a, order) * _spread(right, b, order)


def _spread(term, value, order):
    value = arranged(term, value, "".join(c for c in order if c in term))
    for i, letter in enumerate(order):
        if letter not in term:
            value = value.unsqueeze(i)
    return value

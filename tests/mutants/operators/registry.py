"""The operators by name, in the order of their files."""

SEMANTIC = {}
STYLE = {}


def semantic(operator):
    """operator(arch, dice) changes the model's answers, or raises NotHere."""
    SEMANTIC[operator.__name__] = operator
    return operator


def style(operator):
    """operator(arch, dice) writes the same model otherwise, or raises NotHere."""
    STYLE[operator.__name__] = operator
    return operator

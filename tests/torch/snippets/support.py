"""What the snippets share. Runs under CPython with torch and under our own
evaluator alike, so that both sides compute with the same numbers."""

import torch

CASES = {}

FLOATS = (torch.float32, torch.bfloat16, torch.float16)
INTS = (torch.int64, torch.int32, torch.uint8)


def case(function):
    """Registers a case; the function takes nothing and returns its results."""
    CASES[function.__name__] = function
    return function


def over(*variants):
    """One case per variant, which the function takes as its argument."""

    def register(function):
        for i, variant in enumerate(variants):
            name = function.__name__ + "[" + str(variant) + "]"
            if name in CASES:
                name = name + str(i)
            CASES[name] = lambda variant=variant: function(variant)
        return function

    return register


def numbers(count, seed=1):
    """Floats in [-2, 2), the same everywhere."""
    state = seed * 7919 + 12345
    out = []
    for _ in range(count):
        state = (state * 1103515245 + 12345) % 2147483648
        out.append(state / 536870912.0 - 2.0)
    return out


def floats(*shape, seed=1, dtype=torch.float32):
    count = 1
    for size in shape:
        count *= size
    return torch.tensor(numbers(count, seed), dtype=dtype).reshape(shape)


def positive(*shape, seed=1, dtype=torch.float32):
    return floats(*shape, seed=seed, dtype=dtype).abs() + 0.25


def ints(*shape, low=0, high=10, seed=1, dtype=torch.int64):
    count = 1
    for size in shape:
        count *= size
    items = [low + int((x + 2.0) / 4.0 * (high - low)) for x in numbers(count, seed)]
    return torch.tensor(items, dtype=dtype).reshape(shape)


def bools(*shape, seed=1):
    return ints(*shape, low=0, high=2, seed=seed) == 1


def aliases(source, result, value=9):
    """Whether a write to either side shows on the other; the final elements."""
    before = source.clone()
    result.fill_(value)
    forward = not bool((before == source).all())
    shown = source.clone()
    source.fill_(value + 1)
    backward = bool((result == value + 1).all()) if result.numel() > 0 else False
    return forward, backward, shown, result

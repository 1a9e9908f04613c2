"""torch._higher_order_ops.associative_scan: the scan, one step after another."""

import torch


def _leaves(value):
    return list(value) if isinstance(value, (list, tuple)) else [value]


def associative_scan(combine_fn, xs, dim, reverse=False, combine_mode="pointwise"):
    """The running combination of xs along dim."""
    if reverse:
        raise NotImplementedError("a scan from the end is not evaluated")
    parts = [torch.split(x, 1, dim=dim) for x in _leaves(xs)]
    total = [part[0] for part in parts]
    out = [total]
    for i in range(1, len(parts[0])):
        step = [part[i] for part in parts]
        if isinstance(xs, (list, tuple)):
            total = _leaves(combine_fn(tuple(total), tuple(step)))
        else:
            total = _leaves(combine_fn(total[0], step[0]))
        out.append(total)
    joined = [torch.cat(pieces, dim=dim) for pieces in zip(*out)]
    return tuple(joined) if isinstance(xs, (list, tuple)) else joined[0]

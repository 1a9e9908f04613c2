"""Tokens whose experts hang on rounding: the reference itself sends them elsewhere
when what goes in moves by no more than float32 may."""

import re

from .reference import Capture

# Of a token's embedding; float32 moves what comes out of layers by a tenth of it.
MOVED = 1e-5
DIRECTIONS = 2


class _Moved:
    """While it is entered, all rows of embeddings but the first are moved a little."""

    def __init__(self, model, torch):
        generator = torch.Generator().manual_seed(0)

        def after(module, args, output):
            token = output[:1]
            size = token.square().mean(-1, keepdim=True).sqrt() * MOVED
            noise = [
                torch.randn(token.shape, generator=generator) for _ in range(DIRECTIONS)
            ]
            steps = [sign * size * n.to(size) for n in noise for sign in (1, -1)]
            return torch.cat([token, *(token + step for step in steps)])

        self._hook = after
        self._model = model

    def __enter__(self):
        embeddings = self._model.get_input_embeddings()
        self._handle = embeddings.register_forward_hook(self._hook)
        return self

    def __exit__(self, *_):
        self._handle.remove()


def tied(reference, ids):
    """Positions of one prompt `ids` at which a module that is told which experts to
    use is told others when the embeddings move."""
    torch = reference.torch
    model = reference.model
    holding = [
        re.escape(path)
        for path, module in model.named_modules()
        if any(p.ndim > 2 for p in module.parameters(recurse=False))
    ]
    if not holding:
        return []
    rows = 1 + 2 * DIRECTIONS
    record = Capture(model, "|".join(holding), torch)
    with torch.no_grad(), record, _Moved(model, torch):
        model(torch.tensor([ids] * rows, dtype=torch.long), use_cache=False)
    out = set()
    for key, chosen in record.tensors.items():
        if not key.startswith("routes:") or chosen.numel() % (rows * len(ids)):
            continue
        chosen = chosen.reshape(rows, len(ids), -1).sort(-1).values
        out |= set(
            (chosen[1:] != chosen[:1]).any(-1).any(0).nonzero().flatten().tolist()
        )
    return sorted(out)

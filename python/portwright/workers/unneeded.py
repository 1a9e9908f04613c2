"""Tensors of a checkpoint that the source does without, so that a port may drop them."""

import tempfile
from pathlib import Path

_PROMPTS = 8  # beside those given, until tokens have been wherever they may go
_TOKENS = 48


def unneeded(reference, folder, names, ids):
    """Those of `names` that torch computes itself from the config, or does not use.

    They are NaN in a copy of the checkpoint. What then is NaN in the loaded model must
    be a buffer that a model without any checkpoint has too, or leave the logits finite
    though the module that holds it was called, and with the experts concerned."""
    with tempfile.TemporaryDirectory(prefix="portwright-unneeded-") as copy:
        return _of(reference, folder, names, Path(copy), ids)


def _of(reference, folder, names, copy, ids):
    """All at once first, since that is what most often holds; else one by one."""
    if _are_unneeded(reference, folder, names, copy / "all", ids):
        return names
    if len(names) == 1:
        return []
    return [
        name
        for i, name in enumerate(names)
        if _are_unneeded(reference, folder, [name], copy / str(i), ids)
    ]


def _are_unneeded(reference, folder, names, copy, ids):
    torch = reference.torch
    _write_without(Path(folder), names, copy)
    damaged = type(reference)(copy, trust_remote_code=reference.trusted)
    holes = {
        name: torch.isnan(value)
        for name, value in damaged.model.state_dict().items()
        if value.is_floating_point() and bool(torch.isnan(value).any())
    }
    if not holes:  # they do not even arrive
        return False
    derived = _restore_derived(reference, damaged, holes)
    used = {name: hole for name, hole in holes.items() if name not in derived}
    return not used or _does_without(damaged, used, ids)


def _write_without(folder, names, copy):
    """A copy of the checkpoint in which the tensors are NaN."""
    from safetensors.torch import load_file, save_file

    copy.mkdir()
    for file in folder.iterdir():
        if file.suffix != ".safetensors":
            (copy / file.name).symlink_to(file.resolve())
            continue
        tensors = load_file(file)
        for name in set(names) & set(tensors):
            tensors[name] = tensors[name].new_full(tensors[name].shape, float("nan"))
        save_file(tensors, copy / file.name, {"format": "pt"})


def _restore_derived(reference, damaged, holes):
    """The names of buffers that a model made of the config alone has as the checkpoint
    has them; they are put back."""
    model = reference.model
    buffers = {name for name, _ in model.named_buffers()} & set(holes)
    if not buffers:
        return set()
    own = type(model)(model.config).state_dict()
    held, state = model.state_dict(), damaged.model.state_dict()
    derived = {
        name
        for name in buffers
        if name in own and reference.torch.equal(own[name].to(held[name]), held[name])
    }
    for name in derived:
        state[name].copy_(held[name])
    return derived


def _does_without(damaged, holes, ids):
    """Whether prompts that reach every hole leave the logits finite."""
    torch = damaged.torch
    generator = torch.Generator().manual_seed(0)
    words = damaged.model.get_input_embeddings().weight.shape[0]
    missed = {name: _rows(hole) for name, hole in holes.items()}
    for prompt in range(1 + _PROMPTS):
        if prompt:
            drawn = torch.randint(0, words, (1, _TOKENS), generator=generator)
            ids = drawn.tolist()
        seen, order = damaged.forward(ids, capture=".*")
        if not bool(torch.isfinite(seen["logits"]).all()):
            return False
        called = {key.partition("#")[0] for key in order}
        missed = {
            name: (
                rows - _reached(name, seen)
                if name.rpartition(".")[0] in called
                # nobody has seen what is not called
                else rows
            )
            for name, rows in missed.items()
        }
        if not any(missed.values()):
            return True
    return False


def _rows(hole):
    """The experts that a hole concerns; -1 for a tensor that is no stack of them."""
    if hole.ndim < 3:
        return {-1}
    return {i for i, row in enumerate(hole) if bool(row.any())}


def _reached(name, seen):
    """What of a hole a pass has reached, as `_rows` counts it."""
    path = name.rpartition(".")[0]
    routes = seen.get("routes:" + path)
    return {-1} if routes is None else {-1, *map(int, routes.unique().tolist())}

"""What a model's construction makes that no checkpoint holds.

From version 5 on the library builds models without memory and then fills in weights;
code of a checkpoint's own that makes tables in its constructors loses them.
"""

from contextlib import nullcontext


def _without_drawing():
    """Weights stay as they are allocated; they are of no matter here."""
    try:
        from transformers.initialization import no_init_weights
    except ImportError:
        try:
            from transformers.modeling_utils import no_init_weights
        except ImportError:
            return nullcontext()
    return no_init_weights()


def _is_own(model):
    return type(model).__module__.startswith("transformers_modules")


def restore(model, torch, dtype):
    """Gives a model of own code the buffers and tensors that its class constructs."""
    if not _is_own(model):
        return
    before = torch.get_default_dtype()
    torch.set_default_dtype(dtype)
    try:
        with _without_drawing():
            made = type(model)(model.config)
    finally:
        torch.set_default_dtype(before)
    others = dict(made.named_modules())
    for path, module in model.named_modules():
        other = others.get(path)
        if other is None:
            continue
        for name in module._non_persistent_buffers_set & set(other._buffers):
            if other._buffers[name] is not None:
                module._buffers[name] = other._buffers[name]
        for name, value in vars(module).items():
            lost = torch.is_tensor(value) and value.is_meta
            if lost and torch.is_tensor(vars(other).get(name)):
                setattr(module, name, vars(other)[name])

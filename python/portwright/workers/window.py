"""Windows that the library's cache takes from a config, and the model knows nothing of."""

import sys

LONGEST = 128  # that the battery reaches
LIBRARY_MASKS = ("create_causal_mask", "create_sliding_window_causal_mask")


def forgets_in_vain(model, config):
    """True where a model with masks of its own attends to all there is, but no more
    past the window of the library's cache: it raises there, or masks other keys."""
    from transformers import DynamicCache

    import torch

    layers = getattr(DynamicCache(config=config), "layers", ())
    windows = [one.sliding_window for one in layers if hasattr(one, "sliding_window")]
    masks = vars(sys.modules[type(model).__module__])
    if not windows or max(windows) > LONGEST:
        return False
    if any(name in masks for name in LIBRARY_MASKS):
        return False
    ids = torch.arange(max(windows) + 3)[None] % config.vocab_size

    def continues(cache):
        """Whether pieces of a prompt come out as in one."""
        given = {"past_key_values": cache, "use_cache": True}
        try:
            with torch.no_grad():
                whole = model(input_ids=ids, use_cache=False).logits[:, -2:]
                model(input_ids=ids[:, :-2], **given)
                last = model(input_ids=ids[:, -2:], **given).logits
        except (AttributeError, IndexError, RuntimeError, TypeError, ValueError):
            return False
        allowed = 1e-4 if whole.dtype == torch.float32 else 3e-2
        return bool((last - whole).abs().max() <= allowed * whole.abs().max())

    return not continues(DynamicCache(config=config)) and continues(DynamicCache())


def keep_all(generation_config, model_kwargs, *_, **__):
    """What generate() does to prepare a cache: it begins with one without windows."""
    from transformers import DynamicCache

    if generation_config.use_cache is not False:
        model_kwargs.setdefault("past_key_values", DynamicCache())

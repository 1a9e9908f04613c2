"""Random weights in which a forgotten piece shows, and their checkpoint form.

Matrices keep activations of order one, norms scatter around their initial value
(so offset norms show), biases and scalars are never neutral.
"""

import math

from portwright._proving import noise, shares_storage, to_mlx
from portwright.conversions import fill_table

import torch
from torch import nn

EMBEDDING_STD = 0.4
NORM_STD = 0.3
BIAS_STD = 0.25


def size(model):
    """How many elements the parameters have."""
    return sum(parameter.numel() for parameter in model.parameters())


def _is_structured(tensor):
    """Initialised to values that mean something, not to small random ones."""
    if not bool(tensor.isfinite().all()):
        return False
    return bool(tensor.std() > 0.2) or bool(tensor.mean().abs() > 0.2)


def _fan_in(module, tensor):
    if tensor.dim() == 2 and not isinstance(module, nn.Linear):
        return min(tensor.shape)
    if tensor.dim() >= 3 and tensor.shape[-1] < 16:  # a convolution
        return math.prod(tensor.shape[1:])
    if tensor.dim() >= 3:  # stacked experts, either orientation
        return math.sqrt(tensor.shape[-1] * tensor.shape[-2])
    return tensor.shape[-1]


def _drawn(module, leaf, tensor, values):
    if isinstance(module, nn.Embedding):
        return values * EMBEDDING_STD
    if tensor.dim() <= 1 or tensor.numel() == max(tensor.shape):
        start = torch.where(tensor.isfinite().all(), tensor, torch.zeros_like(tensor))
        small = leaf.endswith("bias") and not bool(start.abs().max() > 1.0)
        return start + values * (BIAS_STD if small else NORM_STD)
    if isinstance(module, nn.Linear) or not _is_structured(tensor):
        return values / math.sqrt(_fan_in(module, tensor))
    return tensor + values * NORM_STD


def randomize(model):
    """Overwrites every parameter in place, and every persistent float vector that
    begins as one number: others, as frequencies, are what the config says."""
    count = 0
    for path, module in model.named_modules():
        for leaf, tensor in list(module.named_parameters(recurse=False)):
            count += 1
            values = noise(list(tensor.shape), count).to(tensor.dtype)
            tensor.data.copy_(_drawn(module, leaf, tensor, values))
        for leaf, tensor in list(module.named_buffers(recurse=False)):
            persistent = leaf not in module._non_persistent_buffers_set
            vector = persistent and tensor.is_floating_point() and tensor.dim() < 2
            if vector and tensor.numel() and bool(tensor.min() == tensor.max()):
                count += 1
                values = noise(list(tensor.shape), count).to(tensor.dtype)
                tensor.add_(values * 0.1)
    model.tie_weights()


def same(config, other):
    # Configs of other classes are equal, too, where their fields are.
    return type(config) is type(other) and config == other


def copy_weights(source, target):
    """Each in the target's dtype."""
    target.tie_weights()
    wanted = target.state_dict()
    for name, tensor in source.state_dict().items():
        wanted[name].copy_(tensor)


def _without_aliases(model, tensors):
    """One name for each storage: that which the library keeps on saving."""
    tied = getattr(model, "all_tied_weights_keys", None) or {}
    if isinstance(model._tied_weights_keys, (list, set)):
        tied = {**dict.fromkeys(model._tied_weights_keys), **tied}
    kept = {}
    for name, tensor in tensors.items():
        others = [k for k, v in tensors.items() if k != name] if name in tied else []
        if not any(shares_storage(tensor, tensors[k]) for k in others):
            kept[name] = tensor
    return kept


def checkpoint(model):
    """What save_pretrained() would write: {name: mx.array}."""
    tensors = _without_aliases(model, dict(model.state_dict()))
    try:
        from transformers.core_model_loading import revert_weight_conversion
    except ImportError:
        revert_weight_conversion = None
    if revert_weight_conversion is not None:
        fill_table()
        tensors = revert_weight_conversion(model, tensors)
    return {name: to_mlx(tensor) for name, tensor in tensors.items()}


def record_layers(model, path):
    """The outputs of the modules in the list at that path, as they come."""
    outputs = []

    def keep(module, inputs, result):
        outputs.append(result[0] if isinstance(result, tuple) else result)

    for layer in model.get_submodule(path):
        layer.register_forward_hook(keep)
    return outputs


def watch_dtypes(model):
    """By path, the dtype of each module that answers one tensor, in order of their
    calls' ends. Of what answers several, the port may hold a part under its path."""
    seen = {}

    def keep(module, inputs, result):
        if isinstance(result, torch.Tensor):
            seen[paths[module]] = str(result.dtype).split(".")[-1]

    paths = {}
    for path, module in model.named_modules():
        paths[module] = path
        if path:
            module.register_forward_hook(keep)
    return seen

"""Random weights in which a forgotten piece shows.

Matrices keep activations of order one, norms scatter around their initial
value (so offset norms show), biases and scalars are never neutral. Every tensor
has its own generator, so the values do not depend on the order of creation.
"""

import hashlib
import math

EMBEDDING_STD = 0.4
NORM_STD = 0.3
BIAS_STD = 0.25


def _generator(torch, seed, name):
    digest = hashlib.sha256(f"{seed}/{name}".encode()).digest()
    return torch.Generator().manual_seed(int.from_bytes(digest[:7], "big"))


def _noise(torch, shape, seed, name):
    out = torch.randn(shape, generator=_generator(torch, seed, name))
    return out.clamp_(-2.5, 2.5)


def _fan_in(module, leaf, tensor):
    kind = type(module).__name__
    if kind == "Conv1D" and tensor.dim() == 2:  # transformers' transposed linear
        return tensor.shape[0]
    if tensor.dim() >= 3 and "Conv" in kind:
        return math.prod(tensor.shape[1:])
    if tensor.dim() >= 3:  # stacked experts, either orientation
        return math.sqrt(tensor.shape[-1] * tensor.shape[-2])
    return tensor.shape[-1]


def _is_structured(tensor):
    """Initialised to values that mean something, not to small random ones."""
    if not tensor.isfinite().all():
        return False
    return bool(tensor.std() > 0.2 or tensor.mean().abs() > 0.2)


def randomize(torch, model, seed, gain):
    """Overwrites every parameter in place, and every persistent float vector that
    begins as one number: others, as frequencies, are what the config says."""
    nn = torch.nn
    with torch.no_grad():
        for path, module in model.named_modules():
            for leaf, tensor in module.named_parameters(recurse=False):
                name = f"{path}.{leaf}"
                tensor.copy_(
                    _parameter(torch, nn, module, leaf, tensor, seed, name, gain)
                )
            persistent = set(module._buffers) - module._non_persistent_buffers_set
            for leaf in sorted(persistent):
                tensor = module._buffers[leaf]
                if (
                    tensor is not None
                    and tensor.is_floating_point()
                    and tensor.dim() < 2
                    and tensor.numel() > 0
                    and bool(tensor.min() == tensor.max())
                ):
                    noise = _noise(torch, tensor.shape, seed, f"{path}.{leaf}")
                    tensor.add_(noise.to(tensor.dtype), alpha=0.1)
    model.tie_weights()


def _parameter(torch, nn, module, leaf, tensor, seed, name, gain):
    noise = _noise(torch, tensor.shape, seed, name).to(tensor.dtype)
    if isinstance(module, nn.Embedding):
        return noise * EMBEDDING_STD
    if tensor.dim() <= 1 or tensor.numel() == max(tensor.shape):
        start = tensor if tensor.isfinite().all() else torch.zeros_like(tensor)
        small = leaf.endswith("bias") and not start.abs().max() > 1.0
        return start + noise * (BIAS_STD if small else NORM_STD)
    if isinstance(module, nn.Linear) or not _is_structured(tensor):
        return noise * (gain / math.sqrt(_fan_in(module, leaf, tensor)))
    return tensor + noise * NORM_STD

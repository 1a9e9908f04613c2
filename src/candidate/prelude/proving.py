"""An emitted model file built, loaded and run as mlx_lm does it."""

import mlx.core as mx
import mlx.nn as nn
from mlx.utils import tree_flatten
from mlx_lm.models import cache as caches


def load(module, fields, weights):
    """The model of a config.json's fields with a checkpoint's tensors."""
    model = module.Model(module.ModelArgs.from_dict(fields))
    if hasattr(model, "sanitize"):
        weights = model.sanitize(weights)
        again = model.sanitize(dict(weights))
        if {k: v.shape for k, v in again.items()} != {
            k: v.shape for k, v in weights.items()
        }:
            raise ValueError("sanitize changes what it has answered before")
    model.eval()
    _give(model, weights)
    return model


def _give(model, weights):
    """What load_weights does with strict=True, without a tree of the weights: finding
    that no key of it is a number would be most of the work."""
    owned = dict(tree_flatten(model.parameters()))
    extra, missing = weights.keys() - owned.keys(), owned.keys() - weights.keys()
    if extra:
        raise ValueError(f"{len(extra)} parameters not in model: {sorted(extra)}")
    if missing:
        raise ValueError(f"{len(missing)} parameters missing: {sorted(missing)}")
    for name, value in weights.items():
        if value.shape != owned[name].shape:
            raise ValueError(
                f"expected shape {owned[name].shape} but received shape {value.shape} "
                f"for parameter {name}"
            )
        *path, leaf = name.split(".")
        owner = model
        for part in path:
            owner = owner[int(part) if isinstance(owner, list) else part]
        owner[int(leaf) if isinstance(owner, list) else leaf] = value


def run(model, parts):
    """Cached, in the given parts: the logits of each."""
    cache = caches.make_prompt_cache(model)
    return [model(part, cache=cache) for part in parts]


def windows(model):
    """The sizes of the caches that forget."""
    made = caches.make_prompt_cache(model)
    return sorted({c.max_size for c in made if hasattr(c, "max_size")})


class NotBatched(Exception):
    pass


def _batched(cache, padding):
    kind = type(cache)
    if kind is caches.KVCache:
        return caches.BatchKVCache(padding)
    if kind is caches.RotatingKVCache and not cache.keep:
        return caches.BatchRotatingKVCache(cache.max_size, padding)
    if kind is caches.ArraysCache:
        cache.left_padding = mx.array(padding)
        return cache
    if kind is caches.CacheList:
        return caches.CacheList(*(_batched(c, padding) for c in cache.caches))
    raise NotBatched(f"{kind.__name__} has no batched form")


def run_padded(model, parts, padding):
    """Rows with that many ids of padding on the left; None without batch caches."""
    try:
        cache = [_batched(c, padding) for c in caches.make_prompt_cache(model)]
    except NotBatched:
        return None
    return [model(part, cache=cache) for part in parts]


class _Recorded:
    """A layer that keeps its outputs."""

    def __init__(self, layer, outputs):
        self.layer = layer
        self.outputs = outputs

    def __call__(self, *args, **kwargs):
        result = self.layer(*args, **kwargs)
        self.outputs.append(result[0] if isinstance(result, tuple) else result)
        return result

    def __getattr__(self, name):
        return getattr(self.layer, name)


def layers_path(model):
    """The dotted path of the list of layers; None where there is no such list."""
    first = model.layers[0]
    for path, module in model.named_modules():
        if module is first and path.endswith(".0"):
            return path[:-2]
    return None


def record_layers(model):
    """The outputs of the layers, as they come. The model is of no use then."""
    outputs = []
    # Not model.layers, which may be a part of the list, and a copy.
    layers = model
    for name in layers_path(model).split("."):
        layers = getattr(layers, name)
    for i, layer in enumerate(layers):
        layers[i] = _Recorded(layer, outputs)
    return outputs


class _Watched:
    """A module that tells the dtype of the one array it answers."""

    def __init__(self, module, path, seen):
        self.module = module
        self.path = path
        self.seen = seen

    def __call__(self, *args, **kwargs):
        result = self.module(*args, **kwargs)
        if isinstance(result, mx.array):
            self.seen[self.path] = str(result.dtype).split(".")[-1]
        return result

    def __getattr__(self, name):
        return getattr(self.module, name)


def _watch(held, items, path, seen):
    for key, value in items:
        below = f"{path}{key}"
        if isinstance(value, nn.Module):
            _watch(value, list(value.items()), f"{below}.", seen)
            held[key] = _Watched(value, below, seen)
        elif isinstance(value, dict):
            _watch(value, list(value.items()), f"{below}.", seen)
        elif isinstance(value, list):
            _watch(value, list(enumerate(value)), f"{below}.", seen)


def watch_dtypes(model):
    """By path, what dtype each module answers from now on, in order of their calls'
    ends. The model is of no other use then."""
    seen = {}
    _watch(model, list(model.items()), "", seen)
    return seen

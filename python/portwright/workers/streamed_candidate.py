"""Runs a port whose weights do not fit: each layer has them while it is called.

MLX reads a weight when something computed of it is evaluated. So a parameter is an
array that nobody has evaluated yet; after each layer everything that it made is
evaluated, and its parameters are exchanged for such arrays again. What lies outside
of the layers is exchanged before the first of them and after the whole model.
"""

import functools

from .instrument import Instrument


def original_class(module):
    return getattr(type(module), "streamed", type(module))


def arrays_in(value, mx, nn, seen=None):
    """Every array in containers and in what caches keep; not in modules."""
    seen = set() if seen is None else seen
    if isinstance(value, mx.array):
        return [value]
    if isinstance(value, (nn.Module, type)) or callable(value) or id(value) in seen:
        return []
    seen.add(id(value))
    if isinstance(value, dict):
        inner = value.values()
    elif isinstance(value, (list, tuple)):
        inner = value
    else:
        inner = getattr(value, "__dict__", {}).values()
    return [array for item in inner for array in arrays_in(item, mx, nn, seen)]


class Streamer:
    """`fresh` answers all parameters {name: array}, none of them evaluated."""

    def __init__(self, model, layers, fresh):
        import mlx.core as mx
        import mlx.nn as nn
        from mlx.utils import tree_flatten

        self._mx, self._nn = mx, nn
        self._model = model
        self._fresh = fresh
        self._pool = {}
        self._called = set()
        mx.set_cache_limit(0)  # what is let go shall be gone
        names = [name for name, _ in tree_flatten(model.parameters())]
        self._inside = {
            path: [name for name in names if name.startswith(path + ".")]
            for path in layers
        }
        inside = {name for own in self._inside.values() for name in own}
        self._outside = [name for name in names if name not in inside]
        modules = dict(model.named_modules())
        for path in layers:
            before = functools.partial(self._enter_layer, path)
            self._watch(modules[path], before, functools.partial(self._leave, path))
        self._watch(model, lambda _: self._called.clear(), self._leave_model)

    def forget(self):
        """To be called when `fresh` would answer otherwise than before."""
        self._pool = {}

    def _watch(self, module, before, after):
        cls = type(module)

        @functools.wraps(cls.__call__)
        def __call__(module, *args, **kwargs):
            before((args, kwargs))
            result = cls.__call__(module, *args, **kwargs)
            after((args, kwargs, result))
            return result

        members = {"__call__": __call__, "__module__": cls.__module__, "streamed": cls}
        module.__class__ = type(cls.__name__, (cls,), members)

    def _settle(self, values):
        """Evaluates: what waits to be computed keeps the weights that it needs."""
        arrays = arrays_in(values, self._mx, self._nn)
        entered = Instrument.entered
        watched = list(entered.tensors.values()) if entered else []
        self._mx.eval(arrays, watched)

    def _exchange(self, names):
        from mlx.utils import tree_unflatten

        if any(name not in self._pool for name in names):
            self._pool = self._fresh()
        new = [(name, self._pool.pop(name)) for name in names]
        self._model.update(tree_unflatten(new))

    def _enter_layer(self, path, values):
        if not self._called:
            self._settle(values)
            self._exchange(self._outside)
        self._called.add(path)

    def _leave(self, path, values):
        self._settle(values)
        self._exchange(self._inside[path])

    def _leave_model(self, values):
        self._settle(values)
        left = [self._inside[path] for path in self._inside if path not in self._called]
        self._exchange([*self._outside, *(name for names in left for name in names)])


def allow_many_files():
    """Weights wait in open files, and a large checkpoint has many."""
    import resource

    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = 8192 if hard == resource.RLIM_INFINITY else min(8192, hard)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
